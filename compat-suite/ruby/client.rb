# The AWS SDK for Ruby against SQUAB_ENDPOINT: queue objects, which verify MD5, and clients below them.
# Every check names the behaviours that it proves; its outcome goes to SQUAB_COMPAT_RESULTS, see
# ../python/suite/conductor.py. An argument selects checks by a part of their name.
require 'aws-sdk-v1'
require 'json'
require 'securerandom'
require 'socket'
require 'timeout'
require 'uri'

PATIENCE = 60 # seconds that one check may take

endpoint = URI(ENV.fetch('SQUAB_ENDPOINT'))
AWS.config(
  access_key_id: ENV.fetch('AWS_ACCESS_KEY_ID', 'test'),
  secret_access_key: ENV.fetch('AWS_SECRET_ACCESS_KEY', 'test'),
  session_token: ENV['AWS_SESSION_TOKEN'],
  region: ENV.fetch('AWS_REGION', 'us-east-1'),
  use_ssl: endpoint.scheme == 'https',
  max_retries: 0,
  http_read_timeout: 30,
  sqs_endpoint: endpoint.host, sqs_port: endpoint.port,
  sns_endpoint: endpoint.host, sns_port: endpoint.port
)

# What is made in a check and deleted at its end.
class Aws
  attr_reader :sqs, :sns

  def initialize
    @sqs = AWS::SQS.new
    @sns = AWS::SNS.new
    @made = []
  end

  def unique
    "compat-#{SecureRandom.hex(8)}"
  end

  # A new queue; options are those of the SDK.
  def queue(options = {})
    made = @sqs.queues.create(unique, options)
    @made << made
    made
  end

  def topic
    made = @sns.topics.create(unique)
    @made << made
    made
  end

  def clean_up
    @made.each do |made|
      made.delete
    rescue AWS::Errors::Base
      nil # the check may have deleted it
    end
  end
end

def same(found, expected)
  raise "found #{found.inspect}, expected #{expected.inspect}" unless found == expected
end

def refuses(type)
  yield
rescue type => error
  error
else
  raise "#{type} expected"
end

CHECKS = []

def check(name, *behaviours, &run)
  CHECKS << [name, behaviours, run]
end

check 'queues', 'queues-01', 'queues-07', 'listing-01' do |aws|
  queue = aws.queue(visibility_timeout: 7)
  name = queue.url.split('/').last
  same aws.sqs.queues.url_for(name), queue.url
  same queue.visibility_timeout, 7
  queue.delay_seconds = 3
  same queue.delay_seconds, 3
  same aws.sqs.queues.with_prefix(name).map(&:url), [queue.url]
end

check 'there and back', 'messages-01', 'messages-03', 'messages-08', 'query-07' do |aws|
  queue = aws.queue
  body = "tab\tline\nreturn\r <&> \"quoted\" 🐦"
  sent = queue.send_message(body)
  message = queue.receive_message(wait_time_seconds: 5)
  same message.body, body
  same message.id, sent.id
  message.delete
  same queue.receive_message, nil
end

check 'message attributes', 'attributes-01', 'attributes-10' do |aws|
  url = aws.queue.url
  attributes = {
    'city' => { data_type: 'String', string_value: 'größe 鳩' },
    'count' => { data_type: 'Number.int', string_value: '7' }
  }
  client = aws.sqs.client
  sent = client.send_message(queue_url: url, message_body: 'm', message_attributes: attributes)
  asked = { queue_url: url, message_attribute_names: ['All'], wait_time_seconds: 5 }
  message = client.receive_message(asked)[:messages].first
  same message[:md5_of_message_attributes], sent[:md5_of_message_attributes]
  found = message[:message_attributes].transform_values { |value| value[:string_value] }
  same found, { 'city' => 'größe 鳩', 'count' => '7' }
end

check 'batches', 'batches-01', 'batches-03', 'batches-04', 'batches-12' do |aws|
  queue = aws.queue(maximum_message_size: 1024)
  failed = refuses(AWS::SQS::Errors::BatchSendError) { queue.batch_send('a', 'b' * 1025) }
  same failed.failures.map { |entry| entry[:error_code] }, ['InvalidParameterValue']
  queue.batch_send('b')
  received = []
  received += Array(queue.receive_messages(limit: 10, wait_time_seconds: 5)) while received.size < 2
  failed = refuses(AWS::SQS::Errors::BatchDeleteError) do
    queue.batch_delete(*received.map(&:handle), 'made-up')
  end
  same failed.failures.map { |entry| entry[:error_code] }, ['ReceiptHandleIsInvalid']
  same queue.receive_message, nil
end

check 'typed errors', 'errors-01', 'errors-03', 'messages-12', 'queues-06' do |aws|
  error = refuses(AWS::SQS::Errors::NonExistentQueue) { aws.sqs.queues.url_for(aws.unique) }
  same error.code, 'AWS.SimpleQueueService.NonExistentQueue'
  same error.message, 'The specified queue does not exist for this wsdl version.'
  queue = aws.queue
  refuses(AWS::SQS::Errors::ReceiptHandleIsInvalid) do
    aws.sqs.client.delete_message(queue_url: queue.url, receipt_handle: 'made-up')
  end
  refuses(AWS::SQS::Errors::MissingParameter) { queue.send_message('') }
end

check 'a long poll', 'polling-02' do |aws|
  queue = aws.queue
  poll = Thread.new { queue.receive_message(wait_time_seconds: 20).body }
  sleep 0.3 # for the poll to begin
  start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  queue.send_message('awaited')
  same poll.value, 'awaited'
  raise 'late' if Process.clock_gettime(Process::CLOCK_MONOTONIC) - start > 10
end

check 'a consumer', 'programs-01', 'programs-02', 'visibility-04' do |aws|
  queue = aws.queue(visibility_timeout: 600)
  queue.send_message('m')
  message = queue.receive_message(wait_time_seconds: 5, attributes: [:all])
  same message.receive_count, 1
  message.visibility_timeout = 0
  handled = []
  queue.poll(wait_time_seconds: 1, idle_timeout: 1) { |again| handled << again.body }
  same handled, ['m']
  same queue.approximate_number_of_messages + queue.invisible_messages, 0
end

check 'dead letters', 'dlq-01', 'dlq-05' do |aws|
  dead = aws.queue
  queue = aws.queue(visibility_timeout: 0)
  policy = { deadLetterTargetArn: dead.arn, maxReceiveCount: 1 }.to_json
  aws.sqs.client.set_queue_attributes(queue_url: queue.url, attributes: { 'RedrivePolicy' => policy })
  sent = queue.send_message('m')
  same queue.receive_message(wait_time_seconds: 5).body, 'm'
  same queue.receive_message, nil
  same dead.receive_message(wait_time_seconds: 5).id, sent.id
end

check 'topics', 'topics-01', 'delivery-01', 'publishing-01', 'subscriptions-01' do |aws|
  topic = aws.topic
  queue = aws.queue
  subscription = topic.subscribe(queue) # sets the queue's policy too
  same subscription.arn.start_with?(topic.arn), true
  id = topic.publish('größe')
  message = queue.receive_message(wait_time_seconds: 5).as_sns_message
  same [message.message_id, message.body], [id, 'größe']
  same topic.subscriptions.map(&:arn), [subscription.arn]
end

check 'raw delivery', 'delivery-04', 'delivery-08' do |aws|
  topic = aws.topic
  queue = aws.queue
  subscription = topic.subscribe(queue)
  subscription.raw_message_delivery = true
  topic.publish('m')
  same queue.receive_message(wait_time_seconds: 5).body, 'm'
end

check 'typed errors of SNS', 'topics-10', 'subscriptions-09' do |aws|
  topic = aws.topic
  refuses(AWS::SNS::Errors::NotFound) { aws.sns.topics["#{topic.arn}x"].publish('m') }
  refuses(AWS::SNS::Errors::InvalidParameter) do
    aws.sns.client.subscribe(topic_arn: topic.arn, protocol: 'sqs', endpoint: 'q')
  end
end

check 'an HTTP endpoint', 'http-01', 'http-03', 'http-04' do |aws|
  listener = TCPServer.new('127.0.0.1', 0)
  next_post = lambda do
    socket = listener.accept
    head = +''
    head << socket.gets until head.end_with?("\r\n\r\n")
    body = socket.read(head[/content-length: *(\d+)/i, 1].to_i)
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    socket.close
    body.force_encoding('UTF-8')
  end
  topic = aws.topic
  url = "http://127.0.0.1:#{listener.addr[1]}/"
  aws.sns.client.subscribe(topic_arn: topic.arn, protocol: 'http', endpoint: url)
  question = JSON.parse(next_post.call)
  same question['Type'], 'SubscriptionConfirmation'
  topic.confirm_subscription(question['Token'])
  id = topic.publish('größe')
  notification = JSON.parse(next_post.call)
  same [notification['MessageId'], notification['Message']], [id, 'größe']
  listener.close
end

def tell(report)
  line = JSON.generate({ client: 'ruby' }.merge(report))
  File.open(ENV.fetch('SQUAB_COMPAT_RESULTS'), 'a') { |file| file.puts(line) }
end

tell(version: AWS::VERSION)
failed = false
CHECKS.each do |name, behaviours, run|
  next unless name.include?(ARGV.fetch(0, ''))

  start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  aws = Aws.new
  outcome = begin
    Timeout.timeout(PATIENCE) { run.call(aws) }
    'passed'
  rescue StandardError => error
    puts error.full_message(highlight: false)
    failed = true
    'failed'
  end
  aws.clean_up
  puts "#{outcome} #{name}"
  seconds = (Process.clock_gettime(Process::CLOCK_MONOTONIC) - start).round(2)
  tell(test: name, behaviours: behaviours, outcome: outcome, seconds: seconds)
end
exit(failed ? 1 : 0)

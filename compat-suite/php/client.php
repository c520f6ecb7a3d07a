<?php

// AsyncAws against SQUAB_ENDPOINT. Every check names the behaviours that it proves; its outcome goes
// to SQUAB_COMPAT_RESULTS, see ../python/suite/conductor.py. An argument selects checks by a part of
// their name.

declare(strict_types=1);

require_once 'Symfony/Component/HttpClient/autoload.php';
require_once 'AsyncAws/Sqs/autoload.php';
require_once 'AsyncAws/Sns/autoload.php';

use AsyncAws\Core\Configuration;
use AsyncAws\Core\Exception\Http\ClientException;
use AsyncAws\Core\Sts\StsClient;
use AsyncAws\Sns\Exception\InvalidParameterException;
use AsyncAws\Sns\Exception\NotFoundException;
use AsyncAws\Sns\SnsClient;
use AsyncAws\Sqs\Exception\QueueDoesNotExistException;
use AsyncAws\Sqs\Exception\QueueNameExistsException;
use AsyncAws\Sqs\Exception\ReceiptHandleIsInvalidException;
use AsyncAws\Sqs\SqsClient;
use Symfony\Component\HttpClient\HttpClient;

/** Clients of one check; what it made is deleted at its end. */
final class Aws
{
    public SqsClient $sqs;
    public SnsClient $sns;
    public StsClient $sts;
    private array $queues = [];
    private array $topics = [];

    public function __construct()
    {
        $configuration = Configuration::create(array_filter([
            'endpoint' => getenv('SQUAB_ENDPOINT'),
            'region' => getenv('AWS_REGION') ?: 'us-east-1',
            'accessKeyId' => getenv('AWS_ACCESS_KEY_ID') ?: 'test',
            'accessKeySecret' => getenv('AWS_SECRET_ACCESS_KEY') ?: 'test',
            'sessionToken' => getenv('AWS_SESSION_TOKEN') ?: null,
        ]));
        $http = HttpClient::create(['timeout' => 40]); // no retries, so that an error is seen
        $this->sqs = new SqsClient($configuration, null, $http);
        $this->sns = new SnsClient($configuration, null, $http);
        $this->sts = new StsClient($configuration, null, $http);
    }

    public function unique(): string
    {
        return 'compat-' . bin2hex(random_bytes(8));
    }

    /** A new queue; returns its URL. */
    public function queue(array $attributes = []): string
    {
        $name = $this->unique() . (isset($attributes['FifoQueue']) ? '.fifo' : '');
        $made = $this->sqs->createQueue(['QueueName' => $name, 'Attributes' => $attributes]);

        return $this->queues[] = $made->getQueueUrl();
    }

    public function arn(string $url): string
    {
        $asked = ['QueueUrl' => $url, 'AttributeNames' => ['QueueArn']];

        return $this->sqs->getQueueAttributes($asked)->getAttributes()['QueueArn'];
    }

    /** A new topic; returns its ARN. */
    public function topic(array $attributes = []): string
    {
        $name = $this->unique() . (isset($attributes['FifoTopic']) ? '.fifo' : '');
        $made = $this->sns->createTopic(['Name' => $name, 'Attributes' => $attributes]);

        return $this->topics[] = $made->getTopicArn();
    }

    /** A new queue that is subscribed to the topic; returns its URL. */
    public function inbox(string $topic, array $ofQueue, array $attributes): string
    {
        $url = $this->queue($ofQueue);
        $this->sns->subscribe([
            'TopicArn' => $topic, 'Protocol' => 'sqs', 'Endpoint' => $this->arn($url),
            'Attributes' => $attributes,
        ])->resolve();

        return $url;
    }

    public function send(string $url, string $body, array $more = []): object
    {
        $sent = $this->sqs->sendMessage(['QueueUrl' => $url, 'MessageBody' => $body] + $more);
        $sent->resolve(); // nothing is sent before somebody asks for the answer

        return $sent;
    }

    /** Receives up to `$most` messages with all their attributes, waiting up to `$wait` seconds. */
    public function receive(string $url, int $wait = 5, int $most = 10): array
    {
        return $this->sqs->receiveMessage([
            'QueueUrl' => $url, 'WaitTimeSeconds' => $wait, 'MaxNumberOfMessages' => $most,
            'AttributeNames' => ['All'], 'MessageAttributeNames' => ['All'],
        ])->getMessages();
    }

    public function bodies(string $url, int $wait = 5): array
    {
        return array_map(fn ($message) => $message->getBody(), $this->receive($url, $wait));
    }

    public function delete(string $url, object $message): void
    {
        $this->sqs->deleteMessage([
            'QueueUrl' => $url, 'ReceiptHandle' => $message->getReceiptHandle(),
        ])->resolve();
    }

    public function cleanUp(): void
    {
        foreach ($this->queues as $url) {
            $this->sqs->deleteQueue(['QueueUrl' => $url])->resolve();
        }
        foreach ($this->topics as $arn) {
            $this->sns->deleteTopic(['TopicArn' => $arn])->resolve();
        }
    }
}

function same(mixed $found, mixed $expected): void
{
    if ($found !== $expected) {
        throw new RuntimeException('found ' . var_export($found, true) . ', expected ' . var_export($expected, true));
    }
}

/** Expects this exception, and returns it. */
function refuses(string $type, callable $call): Throwable
{
    try {
        $call();
    } catch (Throwable $error) {
        if ($error instanceof $type) {
            return $error;
        }
        throw $error;
    }
    throw new RuntimeException("$type expected");
}

function text(string $value): array
{
    return ['DataType' => 'String', 'StringValue' => $value];
}

$checks = [];

$checks['queues'] = [['queues-01', 'queues-06', 'listing-01', 'listing-02'], function (Aws $aws): void {
    $url = $aws->queue(['VisibilityTimeout' => '7']);
    $name = basename($url);
    same($aws->sqs->getQueueUrl(['QueueName' => $name])->getQueueUrl(), $url);
    $asked = ['QueueUrl' => $url, 'AttributeNames' => ['VisibilityTimeout']];
    same($aws->sqs->getQueueAttributes($asked)->getAttributes(), ['VisibilityTimeout' => '7']);
    $pages = $aws->sqs->listQueues(['QueueNamePrefix' => $name, 'MaxResults' => 1]);
    same(iterator_to_array($pages, false), [$url]);
    same($aws->sqs->queueExists(['QueueName' => $name])->isSuccess(), true);
    same($aws->sqs->queueExists(['QueueName' => $aws->unique()])->isSuccess(), false);
}];

$checks['there and back'] = [['messages-01', 'messages-03', 'messages-08', 'attributes-01'], function (Aws $aws): void {
    $url = $aws->queue();
    $body = "tab\tline\nreturn\r <&> \"quoted\" 🐦";
    $raw = implode('', array_map('chr', range(0, 255)));
    $sent = $aws->send($url, $body, ['MessageAttributes' => [
        'city' => text('größe 鳩'),
        'raw' => ['DataType' => 'Binary', 'BinaryValue' => $raw],
    ]]);
    [$message] = $aws->receive($url);
    same($message->getMessageId(), $sent->getMessageId());
    same($message->getBody(), $body);
    same($message->getMD5OfBody(), md5($body));
    same($message->getMD5OfMessageAttributes(), $sent->getMD5OfMessageAttributes());
    same($message->getMessageAttributes()['city']->getStringValue(), 'größe 鳩');
    same($message->getMessageAttributes()['raw']->getBinaryValue(), $raw);
    $aws->delete($url, $message);
    same($aws->receive($url, 0), []);
}];

$checks['batches'] = [['batches-01', 'batches-03', 'batches-04', 'batches-12'], function (Aws $aws): void {
    $url = $aws->queue(['MaximumMessageSize' => '1024']);
    $answer = $aws->sqs->sendMessageBatch(['QueueUrl' => $url, 'Entries' => [
        ['Id' => 'small', 'MessageBody' => 'a'],
        ['Id' => 'large', 'MessageBody' => str_repeat('a', 1025)],
    ]]);
    same($answer->getSuccessful()[0]->getId(), 'small');
    same($answer->getFailed()[0]->getCode(), 'InvalidParameterValue');
    [$message] = $aws->receive($url);
    $answer = $aws->sqs->deleteMessageBatch(['QueueUrl' => $url, 'Entries' => [
        ['Id' => 'ok', 'ReceiptHandle' => $message->getReceiptHandle()],
        ['Id' => 'bad', 'ReceiptHandle' => 'made-up'],
    ]]);
    same($answer->getSuccessful()[0]->getId(), 'ok');
    same($answer->getFailed()[0]->getCode(), 'ReceiptHandleIsInvalid');
}];

$checks['typed errors'] = [['errors-01', 'errors-02', 'errors-03', 'messages-12', 'queues-05'], function (Aws $aws): void {
    $error = refuses(QueueDoesNotExistException::class, fn () => $aws->sqs->getQueueUrl(['QueueName' => $aws->unique()])->resolve());
    same($error->getAwsCode(), 'AWS.SimpleQueueService.NonExistentQueue');
    $url = $aws->queue(['DelaySeconds' => '1']);
    $again = ['QueueName' => basename($url), 'Attributes' => ['DelaySeconds' => '2']];
    refuses(QueueNameExistsException::class, fn () => $aws->sqs->createQueue($again)->resolve());
    $delete = ['QueueUrl' => $url, 'ReceiptHandle' => 'made-up'];
    refuses(ReceiptHandleIsInvalidException::class, fn () => $aws->sqs->deleteMessage($delete)->resolve());
    $error = refuses(ClientException::class, fn () => $aws->send($url, ''));
    same($error->getAwsCode(), 'MissingParameter');
}];

$checks['a long poll'] = [['polling-02', 'messages-02'], function (Aws $aws): void {
    $url = $aws->queue();
    same($aws->receive($url, 0), []);
    $child = pcntl_fork();
    if ($child === 0) {
        usleep(300_000); // for the poll to begin
        (new Aws())->send($url, 'awaited');
        posix_kill(posix_getpid(), SIGKILL); // without the end of the run that is its parent's
    }
    $start = microtime(true);
    same($aws->bodies($url, 20), ['awaited']);
    same(microtime(true) - $start < 10, true);
    pcntl_waitpid($child, $status);
}];

$checks['visibility'] = [['visibility-01', 'visibility-04', 'system-04'], function (Aws $aws): void {
    $url = $aws->queue();
    $aws->send($url, 'm');
    [$message] = $aws->receive($url);
    same($aws->receive($url, 0), []);
    $aws->sqs->changeMessageVisibility([
        'QueueUrl' => $url, 'ReceiptHandle' => $message->getReceiptHandle(), 'VisibilityTimeout' => 0,
    ])->resolve();
    same($aws->receive($url)[0]->getAttributes()['ApproximateReceiveCount'], '2');
}];

$checks['fifo'] = [['fifo-01', 'fifo-02', 'fifo-04', 'fifo-10', 'dedup-01', 'dedup-02'], function (Aws $aws): void {
    $url = $aws->queue(['FifoQueue' => 'true', 'ContentBasedDeduplication' => 'true']);
    $sent = array_map(fn ($body) => $aws->send($url, $body, ['MessageGroupId' => 'g'])->getMessageId(), ['a', 'b', 'b', 'c']);
    same($sent[1], $sent[2]);
    foreach (['a', 'b', 'c'] as $body) {
        [$message] = $aws->receive($url, 5, 1);
        same($message->getBody(), $body);
        same($aws->receive($url, 0), []);
        $aws->delete($url, $message);
    }
}];

$checks['dead letters'] = [['dlq-01', 'dlq-05'], function (Aws $aws): void {
    $dead = $aws->queue();
    $policy = json_encode(['deadLetterTargetArn' => $aws->arn($dead), 'maxReceiveCount' => 1]);
    $url = $aws->queue(['RedrivePolicy' => $policy, 'VisibilityTimeout' => '0']);
    $sent = $aws->send($url, 'm');
    same($sent->getMessageId(), $aws->receive($url)[0]->getMessageId());
    same($aws->receive($url, 0), []);
    same($aws->bodies($dead), ['m']);
}];

$checks['purge'] = [['purge-01', 'purge-03'], function (Aws $aws): void {
    $url = $aws->queue();
    $aws->send($url, 'before');
    $aws->sqs->purgeQueue(['QueueUrl' => $url])->resolve();
    $aws->send($url, 'after');
    same($aws->bodies($url), ['after']);
}];

$checks['envelope'] = [['topics-01', 'delivery-01', 'delivery-02', 'publishing-01'], function (Aws $aws): void {
    $topic = $aws->topic();
    $inbox = $aws->inbox($topic, [], []);
    $sent = $aws->sns->publish([
        'TopicArn' => $topic, 'Message' => 'm', 'Subject' => 's', 'MessageAttributes' => ['k' => text('größe')],
    ])->getMessageId();
    $envelope = json_decode($aws->bodies($inbox)[0], true);
    same([$envelope['MessageId'], $envelope['Subject'], $envelope['Message']], [$sent, 's', 'm']);
    same($envelope['MessageAttributes'], ['k' => ['Type' => 'String', 'Value' => 'größe']]);
}];

$checks['raw and filtered'] = [['delivery-04', 'filters-01', 'filters-15', 'publishbatch-01', 'subscriptions-07'], function (Aws $aws): void {
    $topic = $aws->topic();
    $inbox = $aws->inbox($topic, [], ['RawMessageDelivery' => 'true', 'FilterPolicy' => '{"kind":["bird"]}']);
    $answer = $aws->sns->publishBatch(['TopicArn' => $topic, 'PublishBatchRequestEntries' => array_map(
        fn ($kind) => ['Id' => $kind, 'Message' => $kind, 'MessageAttributes' => ['kind' => text($kind)]],
        ['fish', 'bird'],
    )]);
    same([count($answer->getSuccessful()), $answer->getFailed()], [2, []]);
    [$message] = $aws->receive($inbox);
    same([$message->getBody(), $message->getMessageAttributes()['kind']->getStringValue()], ['bird', 'bird']);
    same(count(iterator_to_array($aws->sns->listSubscriptionsByTopic(['TopicArn' => $topic]), false)), 1);
}];

$checks['fifo topics'] = [['topicfifo-01', 'topicfifo-03'], function (Aws $aws): void {
    $topic = $aws->topic(['FifoTopic' => 'true', 'ContentBasedDeduplication' => 'true']);
    $inbox = $aws->inbox($topic, ['FifoQueue' => 'true'], ['RawMessageDelivery' => 'true']);
    $sent = [];
    foreach (['a', 'b', 'b', 'c'] as $message) {
        $published = $aws->sns->publish(['TopicArn' => $topic, 'Message' => $message, 'MessageGroupId' => 'g']);
        $sent[] = $published->getMessageId();
    }
    same($sent[1], $sent[2]);
    same($aws->bodies($inbox), ['a', 'b', 'c']);
}];

$checks['typed errors of SNS'] = [['topics-10', 'topics-05', 'subscriptions-09'], function (Aws $aws): void {
    $topic = $aws->topic();
    $unknown = ['TopicArn' => $topic . $aws->unique(), 'Message' => 'm'];
    refuses(NotFoundException::class, fn () => $aws->sns->publish($unknown)->resolve());
    $name = substr(strrchr($topic, ':'), 1);
    $again = ['Name' => $name, 'Attributes' => ['DisplayName' => 'other']];
    refuses(InvalidParameterException::class, fn () => $aws->sns->createTopic($again)->resolve());
    $queue = ['TopicArn' => $topic, 'Protocol' => 'sqs', 'Endpoint' => 'q'];
    refuses(InvalidParameterException::class, fn () => $aws->sns->subscribe($queue)->resolve());
}];

$checks['identity'] = [['sts-01'], function (Aws $aws): void {
    same(str_contains($aws->topic(), ':' . $aws->sts->getCallerIdentity()->getAccount() . ':'), true);
}];

function tell(array $report): void
{
    $line = json_encode(['client' => 'php'] + $report, JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR);
    file_put_contents(getenv('SQUAB_COMPAT_RESULTS'), $line . "\n", FILE_APPEND);
}

tell(['version' => getenv('SDK_VERSION') ?: '']);
$status = 0;
foreach ($checks as $name => [$behaviours, $run]) {
    if (!str_contains($name, $argv[1] ?? '')) {
        continue;
    }
    $start = microtime(true);
    $aws = new Aws();
    $outcome = 'passed';
    try {
        $run($aws);
    } catch (Throwable $error) {
        echo $error, "\n";
        $outcome = 'failed';
        $status = 1;
    }
    $aws->cleanUp();
    echo "$outcome $name\n";
    $seconds = round(microtime(true) - $start, 2);
    tell(['test' => $name, 'behaviours' => $behaviours, 'outcome' => $outcome, 'seconds' => $seconds]);
}
exit($status);

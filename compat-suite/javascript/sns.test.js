// The AWS SDK for JavaScript v3, SNS.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';

import {
  BatchEntryIdsNotDistinctException,
  CreateTopicCommand,
  GetSubscriptionAttributesCommand,
  GetTopicAttributesCommand,
  InvalidParameterException,
  InvalidParameterValueException,
  ListTagsForResourceCommand,
  NotFoundException,
  PublishBatchCommand,
  PublishCommand,
  ResourceNotFoundException,
  SetSubscriptionAttributesCommand,
  SetTopicAttributesCommand,
  SubscribeCommand,
  TagResourceCommand,
  UnsubscribeCommand,
  UntagResourceCommand,
  paginateListSubscriptionsByTopic,
} from '@aws-sdk/client-sns';

import { behaviour } from '../node/behaviours.js';
import { md5OfAttributes, receive, unique } from '../node/queues.js';
import { createInbox, createTopic, publish, sns, subscribe } from '../node/topics.js';

const text = (StringValue) => ({ DataType: 'String', StringValue });

/** Expects the command to be refused as this class, with this code and status. */
async function refuses(command, type, code, { status = 400, says } = {}) {
  await assert.rejects(sns.send(command), (error) => {
    assert.ok(error instanceof type, error.constructor.name);
    assert.equal(error.name, type.name);
    assert.equal(error.Code ?? error.Error?.Code, code);
    assert.equal(error.$metadata.httpStatusCode, status);
    if (says) {
      assert.equal(error.message, says);
    }
    return true;
  });
}

behaviour(
  ['delivery-01', 'delivery-02', 'publishing-01', 'topics-01'],
  'a queue gets the envelope',
  async (t) => {
    const topic = await createTopic(t);
    const inbox = await createInbox(t, topic, { RawMessageDelivery: 'false' });
    const MessageAttributes = {
      city: text('größe 鳩'),
      raw: { DataType: 'Binary', BinaryValue: Uint8Array.from([2, 3, 4]) },
    };
    const { MessageId } = await publish(topic, 'm', { Subject: 's', MessageAttributes });
    const [{ Body }] = await receive(inbox);
    const envelope = JSON.parse(Body);
    assert.equal(envelope.MessageId, MessageId);
    assert.deepEqual(Object.keys(envelope), [
      'Type',
      'MessageId',
      'TopicArn',
      'Subject',
      'Message',
      'Timestamp',
      'SignatureVersion',
      'Signature',
      'SigningCertURL',
      'UnsubscribeURL',
      'MessageAttributes',
    ]);
    assert.deepEqual(envelope.MessageAttributes, {
      city: { Type: 'String', Value: 'größe 鳩' },
      raw: { Type: 'Binary', Value: 'AgME' },
    });
  },
);

behaviour(
  ['delivery-04', 'delivery-05', 'publishing-14'],
  'a raw message keeps its attributes',
  async (t) => {
    const topic = await createTopic(t);
    const inbox = await createInbox(t, topic);
    const MessageAttributes = {
      list: { DataType: 'String.Array', StringValue: '["a",1]' },
      number: { DataType: 'Number', StringValue: '7.50' },
      raw: { DataType: 'Binary', BinaryValue: Uint8Array.from({ length: 256 }, (_, i) => i) },
    };
    const body = 'tab\tline\nreturn\r <&> "quoted" 🐦';
    await publish(topic, body, { MessageAttributes });
    const [message] = await receive(inbox, { MessageAttributeNames: ['All'] });
    assert.equal(message.Body, body);
    assert.deepEqual(message.MessageAttributes, MessageAttributes);
    assert.equal(message.MD5OfMessageAttributes, md5OfAttributes(MessageAttributes));
  },
);

behaviour(
  ['topics-05', 'topics-10', 'topics-11', 'topictags-06', 'subscriptions-09', 'publishing-11'],
  'errors are found by class, name and code',
  async (t) => {
    const topic = await createTopic(t);
    await refuses(
      new PublishCommand({ TopicArn: topic + unique(), Message: 'm' }),
      NotFoundException,
      'NotFound',
      { status: 404, says: 'Topic does not exist' },
    );
    await refuses(
      new CreateTopicCommand({
        Name: topic.split(':').at(-1),
        Attributes: { DisplayName: 'other' },
      }),
      InvalidParameterException,
      'InvalidParameter',
      {
        says: 'Invalid parameter: Attributes Reason: Topic already exists with different attributes',
      },
    );
    await refuses(
      new GetTopicAttributesCommand({ TopicArn: 'randomstring' }),
      InvalidParameterException,
      'InvalidParameter',
      {
        says: 'Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1',
      },
    );
    await refuses(
      new SubscribeCommand({ TopicArn: topic, Protocol: 'sqs', Endpoint: 'q' }),
      InvalidParameterException,
      'InvalidParameter',
      { says: 'Invalid parameter: SQS endpoint ARN' },
    );
    await refuses(
      new PublishCommand({
        TopicArn: topic,
        Message: 'm',
        MessageAttributes: { k: { DataType: 'Number', StringValue: 'many' } },
      }),
      InvalidParameterValueException,
      'ParameterValueInvalid',
    );
    await refuses(
      new ListTagsForResourceCommand({ ResourceArn: topic + unique() }),
      ResourceNotFoundException,
      'ResourceNotFound',
      { status: 404 },
    );
  },
);

behaviour(
  ['publishbatch-01', 'publishbatch-03', 'publishbatch-08', 'filters-15'],
  'batches',
  async (t) => {
    const topic = await createTopic(t);
    const inbox = await createInbox(t, topic, { FilterPolicy: '{"kind":["bird"]}' });
    const entries = ['bird', 'fish'].map((kind) => ({
      Id: kind,
      Message: kind,
      MessageAttributes: { kind: text(kind) },
    }));
    const batch = (PublishBatchRequestEntries) =>
      new PublishBatchCommand({ TopicArn: topic, PublishBatchRequestEntries });
    const answer = await sns.send(batch(entries));
    assert.deepEqual(answer.Successful.map(({ Id }) => Id), ['bird', 'fish']);
    assert.deepEqual(answer.Failed, []);
    assert.deepEqual((await receive(inbox)).map((m) => m.Body), ['bird']);
    await refuses(
      batch([entries[0], entries[0]]),
      BatchEntryIdsNotDistinctException,
      'BatchEntryIdsNotDistinct',
    );
  },
);

behaviour(
  ['topics-12', 'subscriptions-01', 'subscriptions-15', 'filters-13', 'topictags-02'],
  'attributes and tags',
  async (t) => {
    const topic = await createTopic(t);
    const set = { AttributeName: 'DisplayName', AttributeValue: 'größe' };
    await sns.send(new SetTopicAttributesCommand({ TopicArn: topic, ...set }));
    const { Attributes } = await sns.send(new GetTopicAttributesCommand({ TopicArn: topic }));
    assert.equal(Attributes.DisplayName, 'größe');
    assert.equal(JSON.parse(Attributes.Policy).Version, '2008-10-17');

    const SubscriptionArn = await subscribe(topic, 'sms', '+15551230009');
    const FilterPolicy = '{"k": [{"prefix": "a"}]}';
    const policy = { AttributeName: 'FilterPolicy', AttributeValue: FilterPolicy };
    await sns.send(new SetSubscriptionAttributesCommand({ SubscriptionArn, ...policy }));
    const shown = await sns.send(new GetSubscriptionAttributesCommand({ SubscriptionArn }));
    assert.equal(shown.Attributes.FilterPolicy, FilterPolicy);
    assert.equal(shown.Attributes.FilterPolicyScope, 'MessageAttributes');

    const ResourceArn = topic;
    const Tags = [{ Key: 'team', Value: 'birds' }];
    await sns.send(new TagResourceCommand({ ResourceArn, Tags }));
    const list = new ListTagsForResourceCommand({ ResourceArn });
    assert.deepEqual((await sns.send(list)).Tags, Tags);
    await sns.send(new UntagResourceCommand({ ResourceArn, TagKeys: ['team'] }));
    assert.deepEqual((await sns.send(list)).Tags, []);
  },
);

behaviour(
  ['topicfifo-01', 'topicfifo-03', 'topicfifo-08'],
  'a FIFO topic keeps order and tells duplicates',
  async (t) => {
    const topic = await createTopic(t, { FifoTopic: 'true', ContentBasedDeduplication: 'true' });
    const inbox = await createInbox(t, topic, {}, { FifoQueue: 'true' });
    const sent = [];
    for (const message of ['a', 'b', 'b', 'c']) {
      sent.push(await publish(topic, message, { MessageGroupId: 'g' }));
    }
    assert.equal(sent[2].MessageId, sent[1].MessageId);
    assert.equal(sent[2].SequenceNumber, sent[1].SequenceNumber);
    assert.ok(sent[3].SequenceNumber > sent[2].SequenceNumber);
    const received = await receive(inbox, { AttributeNames: ['All'] });
    assert.deepEqual(received.map((m) => m.Body), ['a', 'b', 'c']);
    assert.ok(received.every((m) => m.Attributes.MessageGroupId === 'g'));
  },
);

behaviour(['subscriptions-07', 'subscriptions-05'], 'the paginator finds all', async (t) => {
  const topic = await createTopic(t);
  const arns = [];
  for (let i = 0; i < 101; i += 1) {
    arns.push(await subscribe(topic, 'sms', `+1556${1_000_000 + i}`));
  }
  const found = [];
  for await (const page of paginateListSubscriptionsByTopic({ client: sns }, { TopicArn: topic })) {
    found.push(...page.Subscriptions.map((one) => one.SubscriptionArn));
  }
  assert.deepEqual(found.sort(), arns.sort());
  for (let twice = 0; twice < 2; twice += 1) {
    await sns.send(new UnsubscribeCommand({ SubscriptionArn: arns[0] }));
  }
});

behaviour(['http-01', 'http-02', 'http-04', 'http-11'], 'an HTTP endpoint', async (t) => {
  const posts = [];
  let wake = () => {};
  const server = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) {
      chunks.push(chunk);
    }
    posts.push({ headers: request.headers, message: JSON.parse(Buffer.concat(chunks)) });
    response.end();
    wake();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const next = async (type) => {
    while (posts.length === 0) {
      await new Promise((resolve) => {
        wake = resolve;
      });
    }
    const post = posts.shift();
    assert.equal(post.headers['x-amz-sns-message-type'], type);
    assert.equal(post.headers['user-agent'], 'Amazon Simple Notification Service Agent');
    return post.message;
  };

  const topic = await createTopic(t);
  await subscribe(topic, 'http', `http://127.0.0.1:${server.address().port}/`);
  const question = await next('SubscriptionConfirmation');
  assert.equal((await fetch(question.SubscribeURL)).status, 200);
  const { MessageId } = await publish(topic, 'm');
  const notification = await next('Notification');
  assert.equal(notification.MessageId, MessageId);
  assert.equal((await fetch(notification.UnsubscribeURL)).status, 200);
  await next('UnsubscribeConfirmation');
});

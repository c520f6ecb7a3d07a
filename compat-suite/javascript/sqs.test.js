// The AWS SDK for JavaScript v3.
import assert from 'node:assert/strict';

import {
  BatchEntryIdsNotDistinct,
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  InvalidAttributeName,
  PurgeQueueCommand,
  QueueDoesNotExist,
  QueueNameExists,
  ReceiptHandleIsInvalid,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SetQueueAttributesCommand,
  StartMessageMoveTaskCommand,
  paginateListQueues,
} from '@aws-sdk/client-sqs';

import { behaviour } from '../node/behaviours.js';
import {
  clientWithoutEndpoint,
  counts,
  createQueue,
  md5OfAttributes,
  pause,
  receive,
  send,
  sqs,
  unique,
} from '../node/queues.js';

const FIFO = { FifoQueue: 'true', ContentBasedDeduplication: 'true' };

/** Expects the command to be refused with this Query code, as this class if it has one. */
async function refuses(command, code, { type, status = [400], says } = {}) {
  await assert.rejects(sqs.send(command), (error) => {
    assert.equal(error.Code, code);
    assert.equal(error.Type, 'Sender');
    assert.ok(status.includes(error.$metadata.httpStatusCode), error.$metadata.httpStatusCode);
    if (type) {
      assert.ok(error instanceof type, error.constructor.name);
      assert.equal(error.name, type.name);
    }
    if (says) {
      assert.equal(error.message, says);
    }
    return true;
  });
}

behaviour(
  ['messages-01', 'messages-03', 'messages-08', 'attributes-01', 'attributes-08', 'attributes-10'],
  'a message with attributes goes there and back',
  async (t) => {
    const queue = await createQueue(t);
    const attributes = {
      city: { DataType: 'String', StringValue: 'größe 鳩' },
      population: { DataType: 'Number.int', StringValue: '1250800' },
      raw: { DataType: 'Binary', BinaryValue: Uint8Array.from({ length: 256 }, (_, i) => i) },
    };
    const body = 'tab\tline\nreturn\r <&> "quoted" 🐦';
    const sent = await send(queue, body, { MessageAttributes: attributes });
    assert.equal(sent.MD5OfMessageAttributes, md5OfAttributes(attributes));
    const [message] = await receive(queue, { MessageAttributeNames: ['All'] });
    assert.equal(message.MessageId, sent.MessageId);
    assert.equal(message.Body, body);
    assert.deepEqual(message.MessageAttributes, attributes);
    assert.equal(message.MD5OfMessageAttributes, sent.MD5OfMessageAttributes);
    const handle = { QueueUrl: queue, ReceiptHandle: message.ReceiptHandle };
    await sqs.send(new DeleteMessageCommand(handle));
    assert.deepEqual(await counts(queue), [0, 0, 0]);
  },
);

behaviour(['messages-02', 'messages-17'], 'absent lists and maps are absent', async (t) => {
  const queue = await createQueue(t);
  const asked = new ReceiveMessageCommand({ QueueUrl: queue, WaitTimeSeconds: 1 });
  assert.equal((await sqs.send(asked)).Messages, undefined);
  await send(queue, 'm');
  const [message] = await receive(queue);
  assert.deepEqual(Object.keys(message).sort(), ['Body', 'MD5OfBody', 'MessageId', 'ReceiptHandle']);
});

behaviour(['system-03', 'system-04', 'system-05'], 'system attributes by both names', async (t) => {
  const queue = await createQueue(t, { VisibilityTimeout: '0' });
  await send(queue, 'm');
  for (const [count, member] of ['AttributeNames', 'MessageSystemAttributeNames'].entries()) {
    const [message] = await receive(queue, { [member]: ['All'] });
    assert.equal(message.Attributes.ApproximateReceiveCount, String(count + 1));
    assert.ok(Math.abs(Number(message.Attributes.SentTimestamp) - Date.now()) < 120_000);
  }
});

behaviour(['batches-01', 'batches-03', 'batches-04', 'batches-12'], 'batches', async (t) => {
  const queue = await createQueue(t, { MaximumMessageSize: '1024' });
  const bodies = { small: 'a', other: 'b', large: 'a'.repeat(1025) };
  const Entries = Object.entries(bodies).map(([Id, MessageBody]) => ({ Id, MessageBody }));
  const answer = await sqs.send(new SendMessageBatchCommand({ QueueUrl: queue, Entries }));
  assert.deepEqual(answer.Successful.map(({ Id }) => Id), ['small', 'other']);
  assert.deepEqual(answer.Failed, [
    {
      Id: 'large',
      Code: 'InvalidParameterValue',
      Message:
        'One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes.',
      SenderFault: true,
    },
  ]);
  const received = [];
  while (received.length < 2) {
    received.push(...(await receive(queue)));
  }
  const deletions = received.map((m, i) => ({ Id: `ok-${i}`, ReceiptHandle: m.ReceiptHandle }));
  deletions.push({ Id: 'bad', ReceiptHandle: 'made-up' });
  const deleted = await sqs.send(
    new DeleteMessageBatchCommand({ QueueUrl: queue, Entries: deletions }),
  );
  assert.deepEqual(deleted.Successful.map(({ Id }) => Id), ['ok-0', 'ok-1']);
  assert.deepEqual(deleted.Failed.map(({ Id, Code }) => [Id, Code]), [
    ['bad', 'ReceiptHandleIsInvalid'],
  ]);
});

behaviour(
  ['errors-01', 'errors-02', 'errors-03', 'queues-05', 'queues-06', 'queues-09', 'messages-05'],
  'errors are found by class, name and code',
  async (t) => {
    const queue = await createQueue(t, { DelaySeconds: '1' });
    const name = new URL(queue).pathname.split('/').at(-1);
    await refuses(
      new GetQueueUrlCommand({ QueueName: unique() }),
      'AWS.SimpleQueueService.NonExistentQueue',
      { type: QueueDoesNotExist, says: 'The specified queue does not exist.' },
    );
    await refuses(
      new CreateQueueCommand({ QueueName: name, Attributes: { DelaySeconds: '2' } }),
      'QueueAlreadyExists',
      { type: QueueNameExists },
    );
    await refuses(
      new SetQueueAttributesCommand({ QueueUrl: queue, Attributes: { Foo: '1' } }),
      'InvalidAttributeName',
      { type: InvalidAttributeName, says: 'Unknown Attribute Foo.' },
    );
    await refuses(new SendMessageCommand({ QueueUrl: queue, MessageBody: '' }), 'MissingParameter', {
      says: 'The request must contain the parameter MessageBody.',
    });
    await refuses(
      new DeleteMessageCommand({ QueueUrl: queue, ReceiptHandle: 'made-up' }),
      'ReceiptHandleIsInvalid',
      { type: ReceiptHandleIsInvalid, status: [400, 404] },
    );
    const twice = [1, 2].map(() => ({ Id: 'a', MessageBody: 'm' }));
    await refuses(
      new SendMessageBatchCommand({ QueueUrl: queue, Entries: twice }),
      'AWS.SimpleQueueService.BatchEntryIdsNotDistinct',
      { type: BatchEntryIdsNotDistinct },
    );
  },
);

behaviour(['moves-01'], 'a move needs a dead-letter queue', async (t) => {
  const queue = await createQueue(t);
  const { Attributes } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: queue, AttributeNames: ['QueueArn'] }),
  );
  await refuses(
    new StartMessageMoveTaskCommand({ SourceArn: Attributes.QueueArn }),
    'InvalidParameterValue',
    { says: 'Source queue must be configured as a Dead Letter Queue.' },
  );
});

behaviour(['urls-01', 'queues-01'], 'the queue URL is an endpoint by itself', async (t) => {
  const queue = await createQueue(t);
  const other = clientWithoutEndpoint();
  await other.send(new SendMessageCommand({ QueueUrl: queue, MessageBody: 'by its URL' }));
  const { Messages } = await other.send(
    new ReceiveMessageCommand({ QueueUrl: queue, WaitTimeSeconds: 5 }),
  );
  assert.deepEqual(Messages.map((m) => m.Body), ['by its URL']);
});

behaviour(['polling-02'], 'a long poll ends when a message is sent', async (t) => {
  const queue = await createQueue(t);
  const poll = receive(queue, { WaitTimeSeconds: 20 });
  await pause(500); // for the poll to begin
  const begin = Date.now();
  await send(queue, 'awaited');
  assert.deepEqual((await poll).map((m) => m.Body), ['awaited']);
  assert.ok(Date.now() - begin < 5_000);
});

behaviour(['polling-06'], 'an aborted long poll takes no message with it', async (t) => {
  const queue = await createQueue(t, { VisibilityTimeout: '600' });
  const abort = new AbortController();
  const asked = new ReceiveMessageCommand({ QueueUrl: queue, WaitTimeSeconds: 20 });
  const poll = sqs.send(asked, { abortSignal: abort.signal });
  await pause(500); // for the poll to begin
  abort.abort();
  await assert.rejects(poll, { name: 'AbortError' });
  await pause(500); // for the end of the connection to arrive
  await send(queue, 'kept');
  assert.deepEqual((await receive(queue)).map((m) => m.Body), ['kept']);
});

behaviour(['visibility-04', 'visibility-01'], 'a released message comes back', async (t) => {
  const queue = await createQueue(t, { VisibilityTimeout: '600' });
  await send(queue, 'm');
  const [message] = await receive(queue);
  assert.deepEqual(await receive(queue, { WaitTimeSeconds: 0 }), []);
  await sqs.send(
    new ChangeMessageVisibilityCommand({
      QueueUrl: queue,
      ReceiptHandle: message.ReceiptHandle,
      VisibilityTimeout: 0,
    }),
  );
  const [again] = await receive(queue);
  assert.equal(again.MessageId, message.MessageId);
  assert.notEqual(again.ReceiptHandle, message.ReceiptHandle);
});

behaviour(['fifo-01', 'fifo-02', 'fifo-10', 'dedup-01'], 'order in a FIFO queue', async (t) => {
  const queue = await createQueue(t, FIFO);
  const numbers = [];
  for (const body of ['a', 'b', 'b', 'c']) {
    numbers.push((await send(queue, body, { MessageGroupId: 'g' })).SequenceNumber);
  }
  assert.deepEqual(numbers, [...numbers].sort());
  assert.ok(numbers.every((number) => /^\d{20}$/.test(number)));
  const received = [];
  for (let i = 0; i < 3; i += 1) {
    const [message] = await receive(queue, { MaxNumberOfMessages: 1 });
    received.push(message.Body);
    assert.deepEqual(await receive(queue, { WaitTimeSeconds: 0 }), []);
    const handle = { QueueUrl: queue, ReceiptHandle: message.ReceiptHandle };
    await sqs.send(new DeleteMessageCommand(handle));
  }
  assert.deepEqual(received, ['a', 'b', 'c']);
});

behaviour(['listing-01', 'listing-02'], 'the paginator finds every queue once', async (t) => {
  const prefix = unique('list');
  const urls = [];
  for (const i of [0, 1, 2]) {
    urls.push(await createQueue(t, {}, `${prefix}-${i}`));
  }
  const found = [];
  const pages = paginateListQueues({ client: sqs, pageSize: 2 }, { QueueNamePrefix: prefix });
  for await (const page of pages) {
    found.push(...page.QueueUrls);
  }
  assert.deepEqual(found.sort(), urls);
});

behaviour(['purge-01', 'purge-03'], 'a purge empties the queue', async (t) => {
  const queue = await createQueue(t);
  await send(queue, 'visible');
  await send(queue, 'later', { DelaySeconds: 900 });
  await sqs.send(new PurgeQueueCommand({ QueueUrl: queue }));
  assert.deepEqual(await counts(queue), [0, 0, 0]);
  await send(queue, 'after');
  assert.deepEqual((await receive(queue)).map((m) => m.Body), ['after']);
});

// sqs-consumer and sqs-producer: the loop that most Node services run.
import assert from 'node:assert/strict';

import { DeleteQueueCommand } from '@aws-sdk/client-sqs';
import { Consumer } from 'sqs-consumer';
import { Producer } from 'sqs-producer';

import { behaviour } from '../node/behaviours.js';
import { counts, createQueue, eventually, pause, receive, send, sqs } from '../node/queues.js';

/** A started consumer, stopped at the end of test `t`; `errors` holds whatever it reported. */
function consume(t, queueUrl, options) {
  const consumer = Consumer.create({ queueUrl, sqs, waitTimeSeconds: 20, ...options });
  consumer.errors = [];
  for (const event of ['error', 'processing_error', 'timeout_error']) {
    consumer.on(event, (error) => consumer.errors.push(error));
  }
  t.after(() => consumer.stop({ abort: true }));
  consumer.start();
  return consumer;
}

const empty = async (queue) => (await counts(queue)).every((count) => count === 0);

behaviour(
  ['programs-01', 'programs-06', 'system-03'],
  'a consumer handles each message of a producer once and deletes it',
  async (t) => {
    const queue = await createQueue(t, { VisibilityTimeout: '600' });
    const producer = Producer.create({ queueUrl: queue, sqs });
    const bodies = Array.from({ length: 25 }, (_, i) => `message-${i}`);
    assert.equal((await producer.send(bodies)).length, 25);
    assert.equal(await producer.queueSize(), 25);
    const handled = [];
    const consumer = consume(t, queue, {
      batchSize: 10,
      attributeNames: ['All'],
      messageSystemAttributeNames: ['All'],
      messageAttributeNames: ['All'],
      handleMessage: async (message) => {
        assert.equal(message.Attributes.ApproximateReceiveCount, '1');
        handled.push(message.Body);
        return message;
      },
    });
    await eventually(() => handled.length >= 25);
    await eventually(() => empty(queue));
    assert.deepEqual(handled.sort(), bodies.sort());
    assert.deepEqual(consumer.errors, []);
  },
);

behaviour(['programs-02'], 'a message whose handler failed comes back', async (t) => {
  const queue = await createQueue(t, { VisibilityTimeout: '600' });
  await send(queue, 'difficult');
  let attempts = 0;
  const consumer = consume(t, queue, {
    terminateVisibilityTimeout: true,
    handleMessage: async (message) => {
      attempts += 1;
      if (attempts < 3) {
        throw new Error('not yet');
      }
      return message;
    },
  });
  await eventually(() => empty(queue));
  assert.equal(attempts, 3);
  assert.equal(consumer.errors.length, 2);
});

for (const [kind, wrap] of [
  ['single', (handle) => ({ handleMessage: handle })],
  ['batch', (handle) => ({ batchSize: 10, handleMessageBatch: handle })],
]) {
  behaviour(
    ['programs-03', 'visibility-03', 'batches-04'],
    `a heartbeat keeps a long job's message hidden (${kind})`,
    async (t) => {
      const queue = await createQueue(t);
      await send(queue, 'long');
      let attempts = 0;
      const consumer = consume(t, queue, {
        visibilityTimeout: 2,
        heartbeatInterval: 1,
        ...wrap(async (messages) => {
          attempts += 1;
          await pause(4_500);
          return messages;
        }),
      });
      await eventually(() => attempts === 1);
      // Would receive the message if it became visible while it is handled.
      assert.deepEqual(await receive(queue, { WaitTimeSeconds: 4 }), []);
      await eventually(() => empty(queue));
      assert.equal(attempts, 1);
      assert.deepEqual(consumer.errors, []);
    },
  );
}

behaviour(['programs-04', 'polling-06'], 'a consumer stopped in a poll loses nothing', async (t) => {
  const queue = await createQueue(t, { VisibilityTimeout: '600' });
  const handled = [];
  const options = {
    batchSize: 10,
    handleMessage: async (message) => {
      handled.push(message.Body);
      return message;
    },
  };
  const first = consume(t, queue, options);
  await eventually(() => first.status.isPolling);
  await pause(500); // for the poll to arrive
  first.stop({ abort: true });
  await eventually(() => !first.status.isPolling);
  await pause(500); // for the end of the connection to arrive
  await send(queue, 'sent after the stop');
  assert.deepEqual(await counts(queue), [1, 0, 0]);
  consume(t, queue, options);
  await eventually(() => empty(queue));
  assert.deepEqual(handled, ['sent after the stop']);
});

behaviour(['programs-05'], 'a batch handler acknowledges a part of its messages', async (t) => {
  const queue = await createQueue(t);
  await Producer.create({ queueUrl: queue, sqs }).send(['good-1', 'bad', 'good-2']);
  const attempts = {};
  const consumer = consume(t, queue, {
    batchSize: 10,
    visibilityTimeout: 2,
    handleMessageBatch: async (messages) => {
      for (const { Body } of messages) {
        attempts[Body] = (attempts[Body] ?? 0) + 1;
      }
      return messages.filter(({ Body }) => Body.startsWith('good') || attempts[Body] > 1);
    },
  });
  await eventually(() => empty(queue));
  assert.deepEqual(attempts, { 'good-1': 1, bad: 2, 'good-2': 1 });
  assert.deepEqual(consumer.errors, []);
});

behaviour(['programs-06', 'fifo-01', 'dedup-01'], 'a producer feeds a FIFO queue', async (t) => {
  const queue = await createQueue(t, { FifoQueue: 'true' });
  const producer = Producer.create({ queueUrl: queue, sqs });
  const entries = ['a', 'b', 'b', 'c'].map((body, i) => ({
    id: String(i),
    body,
    groupId: 'g',
    deduplicationId: body,
  }));
  await producer.send(entries);
  const handled = [];
  consume(t, queue, {
    suppressFifoWarning: true,
    handleMessage: async (message) => {
      handled.push(message.Body);
      return message;
    },
  });
  await eventually(() => empty(queue));
  assert.deepEqual(handled, ['a', 'b', 'c']);
});

behaviour(['programs-07', 'errors-01'], 'a consumer reports a queue that is gone', async (t) => {
  const queue = await createQueue(t);
  const consumer = consume(t, queue, { waitTimeSeconds: 0, handleMessage: async (m) => m });
  await sqs.send(new DeleteQueueCommand({ QueueUrl: queue }));
  await eventually(() => consumer.errors.length > 0);
  assert.equal(consumer.errors[0].name, 'SQSError');
  assert.equal(consumer.errors[0].code, 'QueueDoesNotExist');
  assert.equal(consumer.errors[0].statusCode, 400);
});

// sqs-producer, which sends batches of any length.
import assert from 'node:assert/strict';

import { Producer } from 'sqs-producer';

import { behaviour } from '../node/behaviours.js';
import { createQueue, md5OfAttributes, receive, sqs } from '../node/queues.js';

/** Receives until `count` messages came. */
async function receiveAll(queue, count) {
  const found = [];
  while (found.length < count) {
    const messages = await receive(queue, { MessageAttributeNames: ['All'], AttributeNames: ['All'] });
    assert.ok(messages.length > 0, `${found.length} of ${count} messages came`);
    found.push(...messages);
  }
  return found;
}

behaviour(['programs-06', 'batches-01'], 'many messages in batches of ten', async (t) => {
  const queueUrl = await createQueue(t, { VisibilityTimeout: '600' });
  const producer = Producer.create({ queueUrl, sqs });
  // A message that is a string is its own id too.
  const bodies = Array.from({ length: 25 }, (_, i) => `message-${i}`);
  const sent = await producer.send(bodies);
  assert.equal(await producer.queueSize(), 25);
  const received = await receiveAll(queueUrl, 25);
  assert.deepEqual(received.map((m) => m.Body).sort(), bodies.sort());
  assert.deepEqual(
    received.map((m) => m.MessageId).sort(),
    sent.map((entry) => entry.MessageId).sort(),
  );
});

behaviour(
  ['programs-06', 'batches-13', 'attributes-01'],
  'messages with attributes and delays',
  async (t) => {
    const queueUrl = await createQueue(t);
    const messageAttributes = {
      city: { DataType: 'String', StringValue: '鳩' },
      raw: { DataType: 'Binary', BinaryValue: Uint8Array.from([2, 3, 4]) },
    };
    const producer = Producer.create({ queueUrl, sqs });
    const [entry] = await producer.send([
      { id: 'now', body: 'now', messageAttributes },
      { id: 'later', body: 'later', delaySeconds: 900 },
    ]);
    const [message] = await receiveAll(queueUrl, 1);
    assert.equal(message.Body, 'now');
    assert.deepEqual(message.MessageAttributes, messageAttributes);
    assert.equal(entry.MD5OfMessageAttributes, md5OfAttributes(messageAttributes));
    assert.deepEqual(await receive(queueUrl, { WaitTimeSeconds: 0 }), []);
  },
);

behaviour(['programs-06', 'fifo-01', 'batches-15', 'dedup-01'], 'a FIFO queue', async (t) => {
  const queueUrl = await createQueue(t, { FifoQueue: 'true' });
  const bodies = [...'abcdefghijkl', 'l'];
  const producer = Producer.create({ queueUrl, sqs });
  await producer.send(
    bodies.map((body, i) => ({ id: String(i), body, groupId: 'g', deduplicationId: body })),
  );
  const first = await receive(queueUrl);
  assert.deepEqual(first.map((m) => m.Body), [...'abcdefghij']);
  assert.equal(await producer.queueSize(), 2);
});

behaviour(['programs-06', 'batches-03'], 'failed messages are told by their ids', async (t) => {
  const queueUrl = await createQueue(t, { MaximumMessageSize: '1024' });
  const producer = Producer.create({ queueUrl, sqs });
  const messages = [
    { id: 'small', body: 'a' },
    { id: 'large', body: 'a'.repeat(1025) },
  ];
  await assert.rejects(producer.send(messages), { failedMessages: ['large'] });
  assert.deepEqual((await receive(queueUrl)).map((m) => m.Body), ['a']);
});

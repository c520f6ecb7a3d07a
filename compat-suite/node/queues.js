// A client of SQS, and queues with names of their own. The SDK verifies the MD5 of every body.
import { createHash, randomUUID } from 'node:crypto';

import {
  CreateQueueCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SQSClient,
  SendMessageCommand,
} from '@aws-sdk/client-sqs';

export const endpoint = process.env.SQUAB_ENDPOINT;

export const settings = {
  region: process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION ?? 'us-east-1',
  credentials: {
    accessKeyId: process.env.AWS_ACCESS_KEY_ID ?? 'test',
    secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY ?? 'test',
    sessionToken: process.env.AWS_SESSION_TOKEN,
  },
  maxAttempts: 1, // an error is to be seen, not tried again
};

export const sqs = new SQSClient({ ...settings, endpoint });

/** A client that was never told the endpoint: it goes where the queue URL points. */
export function clientWithoutEndpoint() {
  const quiet = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };
  return new SQSClient({ ...settings, logger: quiet });
}

export const unique = (name = 'q') => `compat-${name}-${randomUUID().slice(0, 18)}`;

/** A new queue, deleted at the end of test `t`; returns its URL. */
export async function createQueue(t, Attributes = {}, name = unique()) {
  const QueueName = name + (Attributes.FifoQueue ? '.fifo' : '');
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName, Attributes }));
  t.after(async () => {
    await sqs.send(new DeleteQueueCommand({ QueueUrl })).catch(() => {}); // the test may have
  });
  return QueueUrl;
}

/** SendMessage. */
export const send = (QueueUrl, MessageBody, members = {}) =>
  sqs.send(new SendMessageCommand({ QueueUrl, MessageBody, ...members }));

/** ReceiveMessage: up to ten messages, waiting up to two seconds for one. */
export async function receive(QueueUrl, members = {}) {
  const asked = { QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 2, ...members };
  return (await sqs.send(new ReceiveMessageCommand(asked))).Messages ?? [];
}

/** The counters: visible, in flight, delayed. */
export async function counts(QueueUrl) {
  const names = ['', 'NotVisible', 'Delayed'].map((kind) => `ApproximateNumberOfMessages${kind}`);
  const { Attributes } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: names }),
  );
  return names.map((name) => Number(Attributes[name]));
}

/** The MD5 of message attributes as AWS documents it; the SDK does not verify this one. */
export function md5OfAttributes(attributes) {
  const counted = (data) => {
    const bytes = Buffer.from(data);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const digest = createHash('md5');
  for (const name of Object.keys(attributes).sort()) {
    const { DataType, StringValue, BinaryValue } = attributes[name];
    digest.update(counted(name)).update(counted(DataType));
    digest.update(Buffer.from([BinaryValue ? 2 : 1])).update(counted(BinaryValue ?? StringValue));
  }
  return digest.digest('hex');
}

/** Resolves when `condition` holds; rejects after `patience` milliseconds. */
export async function eventually(condition, patience = 15_000) {
  const end = Date.now() + patience;
  while (!(await condition())) {
    if (Date.now() > end) {
      throw new Error(`it did not happen within ${patience} ms: ${condition}`);
    }
    await pause(50);
  }
}

export const pause = (milliseconds) =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

// A client of SNS, and topics with names of their own.
import {
  CreateTopicCommand,
  DeleteTopicCommand,
  PublishCommand,
  SNSClient,
  SubscribeCommand,
} from '@aws-sdk/client-sns';
import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs';

import { createQueue, endpoint, settings, sqs, unique } from './queues.js';

/** A client of SNS at an endpoint. */
export const snsAt = (endpoint) => new SNSClient({ ...settings, endpoint });

export const sns = snsAt(endpoint);

/** A new topic, deleted at the end of test `t`; returns its ARN. */
export async function createTopic(t, Attributes = {}, client = sns) {
  const Name = unique('t') + (Attributes.FifoTopic ? '.fifo' : '');
  const { TopicArn } = await client.send(new CreateTopicCommand({ Name, Attributes }));
  t.after(() => client.send(new DeleteTopicCommand({ TopicArn })).catch(() => {}));
  return TopicArn;
}

/** Subscribe; returns the ARN, of a subscription that is pending too. */
export async function subscribe(TopicArn, Protocol, Endpoint, Attributes = {}, client = sns) {
  const asked = { TopicArn, Protocol, Endpoint, Attributes, ReturnSubscriptionArn: true };
  return (await client.send(new SubscribeCommand(asked))).SubscriptionArn;
}

/** A new queue that is subscribed, raw unless told otherwise; returns its URL. */
export async function createInbox(t, TopicArn, Attributes = {}, ofQueue = {}) {
  const QueueUrl = await createQueue(t, ofQueue);
  const asked = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] });
  const { QueueArn } = (await sqs.send(asked)).Attributes;
  await subscribe(TopicArn, 'sqs', QueueArn, { RawMessageDelivery: 'true', ...Attributes });
  return QueueUrl;
}

/** Publish. */
export const publish = (TopicArn, Message, members = {}, client = sns) =>
  client.send(new PublishCommand({ TopicArn, Message, ...members }));

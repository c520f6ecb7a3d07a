// An application of NestJS. Decorators are called as the functions that they are: this is no TypeScript.
import 'reflect-metadata';

import assert from 'node:assert/strict';

import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import nestjsSqs from '@ssut/nestjs-sqs';

import { behaviour } from '../node/behaviours.js';
import { counts, createQueue, eventually, sqs } from '../node/queues.js';

const { SqsConsumerEventHandler, SqsMessageHandler, SqsModule, SqsService } = nestjsSqs;

/** Decorates a method. */
function decorate(decorator, type, method) {
  decorator(type.prototype, method, Object.getOwnPropertyDescriptor(type.prototype, method));
}

/** A started application whose consumer `jobs` calls `handle`; `errors` is what it reported. */
async function startApplication(t, queueUrl, handle, { batch = false, ...options } = {}) {
  const errors = [];
  class Jobs {
    handle(messages) {
      return handle(messages);
    }

    failed(error) {
      errors.push(error);
    }

    ended() {} // polls that are aborted at the end are errors too
  }
  decorate(SqsMessageHandler('jobs', batch), Jobs, 'handle');
  decorate(SqsConsumerEventHandler('jobs', 'processing_error'), Jobs, 'failed');
  decorate(SqsConsumerEventHandler('jobs', 'error'), Jobs, 'ended');
  class Application {}
  const queue = { name: 'jobs', queueUrl, sqs };
  const consumer = { ...queue, waitTimeSeconds: 20, shouldDeleteMessages: true, ...options };
  const imports = [SqsModule.register({ consumers: [consumer], producers: [queue] })];
  Module({ imports, providers: [Jobs] })(Application);
  const application = await NestFactory.createApplicationContext(Application, { logger: false });
  application.get(SqsService).consumers.get('jobs').stopOptions = { abort: true };
  t.after(() => application.close());
  return { errors, service: application.get(SqsService) };
}

const empty = async (queue) => (await counts(queue)).every((count) => count === 0);

behaviour(['programs-01', 'programs-06', 'queues-13'], 'a service sends and handles', async (t) => {
  const queue = await createQueue(t, { VisibilityTimeout: '600' });
  const handled = [];
  const { errors, service } = await startApplication(t, queue, async (message) => {
    handled.push(message.Body);
  });
  const bodies = ['größe', '鳩'];
  await service.send('jobs', bodies.map((body, i) => ({ id: String(i), body })));
  await eventually(() => handled.length >= 2);
  await eventually(() => empty(queue));
  assert.deepEqual(handled.sort(), bodies.sort());
  assert.equal((await service.getQueueAttributes('jobs')).VisibilityTimeout, '600');
  assert.deepEqual(errors, []);
});

behaviour(['programs-02'], 'a message whose handler failed comes back', async (t) => {
  const queue = await createQueue(t, { VisibilityTimeout: '600' });
  let attempts = 0;
  const handle = async () => {
    attempts += 1;
    if (attempts === 1) {
      throw new Error('not yet');
    }
  };
  const options = { terminateVisibilityTimeout: true };
  const { errors, service } = await startApplication(t, queue, handle, options);
  await service.send('jobs', { id: 'a', body: 'difficult' });
  await eventually(() => attempts >= 2);
  await eventually(() => empty(queue));
  assert.equal(attempts, 2);
  assert.equal(errors.length, 1);
});

behaviour(['programs-01', 'programs-14', 'fifo-01'], 'batches of a FIFO queue', async (t) => {
  const queue = await createQueue(t, { FifoQueue: 'true', VisibilityTimeout: '600' });
  const handled = [];
  const handle = async (messages) => {
    handled.push(...messages.map((message) => message.Body));
  };
  const options = { batch: true, batchSize: 10, suppressFifoWarning: true };
  const { service } = await startApplication(t, queue, handle, options);
  const bodies = [...'abcdefghijklmno'];
  await service.send(
    'jobs',
    bodies.map((body) => ({ id: body, body, groupId: 'g', deduplicationId: body })),
  );
  await eventually(() => empty(queue));
  assert.deepEqual(handled, bodies);
});

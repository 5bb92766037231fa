// The peer of `make bench`: POST /v1/complaints on Fastify and BullMQ.
//
// node server.js --redis SOCKET --rules DIR [--port N] [--processes N]
//
// It validates, classifies with the same keyword lists, finds the worker, adds a job to that worker's queue
// (its id is the Idempotency-Key, so a retry adds none) and answers 201 when Redis has it. It prints one
// line, {"event":"listening","port":N}, and ends at SIGTERM.
import cluster from 'node:cluster';
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { Queue } from 'bullmq';
import Fastify from 'fastify';
import { Redis } from 'ioredis';
import { decide } from './classify.js';
import { load } from './rules.js';

const { values: options } = parseArgs({
  options: {
    redis: { type: 'string' },
    rules: { type: 'string', default: 'rules' },
    port: { type: 'string', default: '0' },
    processes: { type: 'string', default: '1' },
  },
});

const string = (maxLength) => ({ type: 'string', maxLength });

const complaintSchema = {
  type: 'object',
  required: ['text'],
  additionalProperties: false,
  properties: {
    text: { type: 'string', minLength: 1, maxLength: 8000 },
    title: string(200),
    kind: { enum: ['complaint', 'help', 'enquiry', 'suggestion', 'report'] },
    source: { enum: ['miniprogram', 'hotline', 'app', 'web', 'grid', 'sensor'] },
    community: string(32),
    grid: string(32),
    location: {
      type: 'object',
      additionalProperties: false,
      properties: { lat: { type: 'number' }, lon: { type: 'number' }, address: string(200) },
    },
    resident: {
      type: 'object',
      additionalProperties: false,
      properties: { id: string(64), name: string(64), phone: string(64) },
    },
    occurred_at: string(40),
    attachments: { type: 'array', maxItems: 9, items: string(1024) },
  },
};

// Fastify writes what a schema describes faster than JSON.stringify does.
const orderSchema = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    status: { type: 'string' },
    category: { type: 'string' },
    score: { type: 'number' },
    department: { type: 'string', nullable: true },
    urgency: { type: 'string' },
    kind: { type: 'string' },
    tags: { type: 'array', items: { type: 'string' } },
    community: { type: 'string' },
    grid: { type: 'string', nullable: true },
    assignee: { type: 'string' },
    deadlines: { type: 'object', additionalProperties: { type: 'number' } },
    evidence: {
      type: 'array',
      items: {
        type: 'object',
        properties: { target: { type: 'string' }, word: { type: 'string' }, weight: { type: 'number' } },
      },
    },
  },
};

async function serve() {
  const rules = load(options.rules);
  // Commands of one turn of the loop go out together.
  const connection = new Redis({ path: options.redis, maxRetriesPerRequest: null, enableAutoPipelining: true });
  const queues = new Map();
  const queueOf = (name) => {
    let queue = queues.get(name);
    if (queue === undefined) {
      queue = new Queue(name, { connection });
      queues.set(name, queue);
    }
    return queue;
  };

  // As strict as the engine: no value is converted, no unknown member dropped.
  const ajv = { customOptions: { coerceTypes: false, removeAdditional: false } };
  const app = Fastify({ logger: false, bodyLimit: 65536, keepAliveTimeout: 60000, ajv });
  app.post('/v1/complaints', { schema: { body: complaintSchema, response: { 201: orderSchema } } }, async (request, reply) => {
    const complaint = request.body;
    const now = Date.now();
    const verdict = decide(rules, complaint, now);
    const id = request.headers['idempotency-key'] ?? randomUUID();
    const order = { id, status: 'dispatched', ...verdict };
    const queue = queueOf(verdict.queue === null ? verdict.assignee : `${verdict.assignee}-${verdict.queue}`);
    await queue.add('order', { ...order, created_at: now, complaint }, { jobId: id });
    reply.code(201);
    return order;
  });
  await app.listen({ host: '127.0.0.1', port: Number(options.port) });
  return { port: app.server.address().port };
}

function announce({ port }) {
  console.log(JSON.stringify({ event: 'listening', port, node: process.version }));
}

const processes = Number(options.processes);
if (cluster.isPrimary && processes > 1) {
  let ready = 0;
  for (let i = 0; i < processes; i++) {
    // All share one port; it is announced when all serve.
    cluster.fork().on('message', (message) => {
      if (++ready === processes) announce(message);
    });
  }
  cluster.on('exit', (worker, code) => {
    console.error(`a worker process ended with ${code}`);
    process.exit(1);
  });
  process.on('SIGTERM', () => process.exit(0));
} else {
  const place = await serve();
  if (cluster.isWorker) process.send(place);
  else announce(place);
  process.on('SIGTERM', () => process.exit(0));
  process.on('disconnect', () => process.exit(0));
}

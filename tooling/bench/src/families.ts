/** What the workloads stand for. `docs/benchmarks.md` tells the same to people who choose one. */
export const families: Readonly<Record<string, { readonly title: string; readonly what: string }>> = {
  w0: {
    title: 'our own cost',
    what: 'A transport that hands over and takes at once, so that what is left is ours: batches, decoding, handlers, settlements. By hand does the same decoding or encoding and calls the handler.',
  },
  w1: {
    title: 'in-process publish',
    what: 'Publish and await the handlers in this process, one message after the other, by reference. The limit is a hand-written loop with an id, an envelope and a look-up; the peer is emittery, the emitter with asynchronous listeners.',
  },
  w2: {
    title: 'the memory transport',
    what: 'Many publishers and 64 handlers at a time over a bounded queue, every message acknowledged. The limit is a hand-written queue.',
  },
  w6: {
    title: 'publishing to JetStream',
    what: 'Messages with an id that the stream remembers, headers and JSON, 256 under way at a time, each awaited until the stream has it. The limit has one inbox for all answers and writes its headers as text; the peer is `js.publish` of the client.',
  },
  w7: {
    title: 'reading from JetStream',
    what: 'A backlog is read, decoded, handled by 100 handlers at a time and acknowledged one by one. The limit is the loop of the client with its acknowledgements unconfirmed.',
  },
  w8: {
    title: 'Kafka',
    what: 'Publishes awaited side by side against batches made by hand with the same client, acknowledgements, key, headers and JSON; a backlog of 1,000 keys read at least once, with handlers that do nothing or take a millisecond. Readers wait when the backlog appears: its transaction ends as the clock starts.',
  },
  w3: {
    title: 'publishing to Redis and to PostgreSQL',
    what: 'A message counts when the server has said that it has it. The limit is ioredis with the same envelope and payload as JSON: what comes in one turn of the event loop goes in one hand-written script, or 500 at a time in a pipeline; on PostgreSQL, rows that go together with those of an insert under way.',
  },
  w4: {
    title: 'consuming from Redis and from PostgreSQL',
    what: 'At least once, 100 handlers at a time that do nothing, each message acknowledged behind its handler. The limit is a hand-written loop that reads ahead, parses both parts of the entry and acknowledges a batch while the next is read; it renews no lease and takes over from nobody. On PostgreSQL 64 at a time, and the loop deletes 200 rows, handles them and commits.',
  },
  w5: {
    title: 'latency over Redis',
    what: 'Messages come at a fixed rate, whatever became of the ones before; latency counts from when each was due to its handler. Publisher and consumer share one process.',
  },
  w9: {
    title: 'writing to the outbox',
    what: 'A transaction of the user writes an order and its events. A "message" is a transaction. The limit is the insert that people write by hand; "no outbox" writes the order alone; the peers write a job in the same transaction.',
  },
  w10: {
    title: 'draining the outbox',
    what: 'A relay carries a backlog to a transport. The limit reads page after page and deletes each while the next is read, with no lease, no order and no outcome per message; the peers work off as many jobs.',
  },
  w11: {
    title: 'from commit to handler',
    what: 'Transactions come at a fixed rate, whatever became of the ones before; latency counts from when each was due. Hand-written is a process that wakes itself after its commit.',
  },
  w12: {
    title: 'idempotent handlers',
    what: 'The middleware claims a message, the handler does nothing, the middleware completes it. The limit is the least that a store needs for the same answer.',
  },
  w13: {
    title: 'exactly-once handlers',
    what: 'Inbox entry and effect in one transaction. The limit is a hand-written loop over encoded messages with the same statements. Where 1 % fail, each of them is found by halving its batch, and becomes a dead letter.',
  },
  w18: {
    title: 'cold start and size',
    what: 'Processor time of a process that imports one package and ends, and what an installation brings: the package with everything it depends on.',
  },
  w19: {
    title: 'soak',
    what: 'At 70 % of the rate that a short closed loop reached: outbox on PostgreSQL, relay, memory transport, exactly-once handler. Memory is compared between the first and the last fifth.',
  },
}

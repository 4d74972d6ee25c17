/** Two durable actions one after the other: a process may die between them, and there stands the named crash point. */
export interface DurablePair {
  readonly first: string
  readonly second: string
  readonly crashPoint: string
  /** From the root. */
  readonly file: string
}

/** Kept by hand: whoever writes code that does two durable things adds a line, and a crash point between them. */
export const durablePairs: readonly DurablePair[] = [
  {
    first: 'the rows of the outbox are written',
    second: 'the transaction commits',
    crashPoint: 'tx.beforeCommit',
    file: 'packages/backend/pg/src/run-transaction.ts',
  },
  {
    first: 'the transaction commits',
    second: 'the message is acknowledged, or the publisher goes on',
    crashPoint: 'tx.afterCommit',
    file: 'packages/backend/pg/src/run-transaction.ts',
  },
  {
    first: 'the relay takes the lead',
    second: 'it publishes',
    crashPoint: 'outbox.led',
    file: 'packages/outbox/core/src/lead-keeper.ts',
  },
  {
    first: 'the transport accepts rows',
    second: 'they are deleted',
    crashPoint: 'outbox.published',
    file: 'packages/outbox/core/src/publish-rows.ts',
  },
  {
    first: 'published rows are deleted',
    second: 'the next ones are published',
    crashPoint: 'outbox.deleted',
    file: 'packages/outbox/core/src/published-rows.ts',
  },
  {
    first: 'the transport refuses rows',
    second: 'they are put aside',
    crashPoint: 'outbox.refused',
    file: 'packages/outbox/core/src/courier.ts',
  },
  {
    first: 'refused rows are put aside',
    second: 'the rows behind them are published',
    crashPoint: 'outbox.parked',
    file: 'packages/outbox/core/src/courier.ts',
  },
  {
    first: 'the inbox is entered',
    second: 'the handler writes its effect',
    crashPoint: 'inbox.entered',
    file: 'packages/idempotency/core/src/exactly-once.ts',
  },
  {
    first: 'the handler has written its effect',
    second: 'what it returned is stored, all is committed',
    crashPoint: 'inbox.handled',
    file: 'packages/idempotency/core/src/exactly-once.ts',
  },
  {
    first: 'the inbox is entered for a batch',
    second: 'its handler writes its effects',
    crashPoint: 'inbox.entered',
    file: 'packages/idempotency/core/src/exactly-once-batch.ts',
  },
  {
    first: 'the handler of a batch has written its effects',
    second: 'what it returned is stored, all is committed',
    crashPoint: 'inbox.handled',
    file: 'packages/idempotency/core/src/exactly-once-batch.ts',
  },
  {
    first: 'the message is claimed',
    second: 'the handler runs',
    crashPoint: 'idempotency.claimed',
    file: 'packages/idempotency/core/src/idempotency.ts',
  },
  {
    first: 'the handler has run',
    second: 'the claim is completed',
    crashPoint: 'idempotency.handled',
    file: 'packages/idempotency/core/src/idempotency.ts',
  },
  {
    first: 'the claim is completed',
    second: 'the message is acknowledged',
    crashPoint: 'idempotency.settled',
    file: 'packages/idempotency/core/src/idempotency.ts',
  },
  {
    first: 'the dead letter is kept',
    second: 'its message is acknowledged',
    crashPoint: 'deadLetter.appended',
    file: 'packages/core/src/bus/dead-letterer.ts',
  },
  {
    first: 'handlers have had their effects',
    second: 'their messages are settled',
    crashPoint: 'delivery.decided',
    file: 'packages/core/src/consumer/settler.ts',
  },
  {
    first: 'messages are settled',
    second: 'the next are settled, a relay that waits for it deletes its row',
    crashPoint: 'delivery.settled',
    file: 'packages/core/src/consumer/settler.ts',
  },
  {
    first: 'a batch is in the broker',
    second: 'its publisher is told',
    crashPoint: 'transport.published',
    file: 'packages/transport/pg/src/publish.ts',
  },
  {
    first: 'a batch is in the broker',
    second: 'its publisher is told',
    crashPoint: 'transport.published',
    file: 'packages/transport/redis/src/publish.ts',
  },
  {
    first: 'the topic is declared',
    second: 'a group is made on it',
    crashPoint: 'transport.declared',
    file: 'packages/transport/redis/src/topics.ts',
  },
  {
    first: 'the group is there',
    second: 'the first message is claimed',
    crashPoint: 'transport.groupCreated',
    file: 'packages/transport/pg/src/groups.ts',
  },
  {
    first: 'the session has joined its group',
    second: 'the first message is claimed',
    crashPoint: 'transport.joined',
    file: 'packages/transport/redis/src/group.ts',
  },
  {
    first: 'messages are claimed',
    second: 'their handlers have effects',
    crashPoint: 'transport.claimed',
    file: 'packages/transport/pg/src/consumer.ts',
  },
  {
    first: 'messages are claimed',
    second: 'their handlers have effects',
    crashPoint: 'transport.claimed',
    file: 'packages/transport/redis/src/reader.ts',
  },
  {
    first: 'a settlement is in the broker',
    second: 'the next messages are claimed',
    crashPoint: 'transport.settled',
    file: 'packages/transport/pg/src/consumer.ts',
  },
  {
    first: 'a settlement is in the broker',
    second: 'the next messages are claimed',
    crashPoint: 'transport.settled',
    file: 'packages/transport/redis/src/consumer.ts',
  },
  {
    first: 'the session has left its group',
    second: 'the process ends',
    crashPoint: 'transport.left',
    file: 'packages/transport/redis/src/group.ts',
  },
  {
    first: 'a batch is in the log',
    second: 'the publisher is told',
    crashPoint: 'transport.published',
    file: 'packages/transport/kafka/src/publish.ts',
  },
  {
    first: 'the starts of suspects are in the commit',
    second: 'their handlers have effects',
    crashPoint: 'transport.startsRecorded',
    file: 'packages/transport/kafka/src/consumer.ts',
  },
  {
    first: 'the progress of partitions is committed',
    second: 'the settlement is confirmed',
    crashPoint: 'transport.committed',
    file: 'packages/transport/kafka/src/group-reader.ts',
  },
  {
    first: 'a settlement is in the broker',
    second: 'the next messages are claimed',
    crashPoint: 'transport.settled',
    file: 'packages/transport/kafka/src/settling.ts',
  },
  {
    first: 'the attempts of messages to come back are written',
    second: 'they are given back',
    crashPoint: 'jetstream.attemptsWritten',
    file: 'packages/transport/nats/src/js-consumer.ts',
  },
  {
    first: 'dead letters are in their stream',
    second: 'their messages are terminated',
    crashPoint: 'jetstream.deadLettersKept',
    file: 'packages/transport/nats/src/js-consumer.ts',
  },
  {
    first: 'the topic is declared',
    second: 'a group is made on it',
    crashPoint: 'transport.declared',
    file: 'packages/transport/pg/src/topics.ts',
  },
  {
    first: 'the topic is declared',
    second: 'a group is made on it',
    crashPoint: 'transport.declared',
    file: 'packages/transport/kafka/src/topics.ts',
  },
  {
    first: 'the group has its places',
    second: 'the first message is read',
    crashPoint: 'transport.groupCreated',
    file: 'packages/transport/kafka/src/group-reader.ts',
  },
  {
    first: 'dead letters are in their topic',
    second: 'the commit passes their messages',
    crashPoint: 'kafka.deadLettersKept',
    file: 'packages/transport/kafka/src/settling.ts',
  },
  {
    first: 'delayed retries are in their topic',
    second: 'the commit passes their messages',
    crashPoint: 'kafka.retriesWritten',
    file: 'packages/transport/kafka/src/settling.ts',
  },
  {
    first: 'the stream is made',
    second: 'a consumer is made on it',
    crashPoint: 'transport.declared',
    file: 'packages/transport/nats/src/streams.ts',
  },
  {
    first: 'the consumers are there',
    second: 'the first message is pulled',
    crashPoint: 'transport.groupCreated',
    file: 'packages/transport/nats/src/jetstream-transport.ts',
  },
  {
    first: 'a batch is in its streams',
    second: 'its publisher is told',
    crashPoint: 'transport.published',
    file: 'packages/transport/nats/src/jetstream-transport.ts',
  },
  {
    first: 'messages are handed over by the server',
    second: 'their handlers have effects',
    crashPoint: 'transport.claimed',
    file: 'packages/transport/nats/src/js-consumer.ts',
  },
  {
    first: 'a settlement is in the broker',
    second: 'the next messages are pulled',
    crashPoint: 'transport.settled',
    file: 'packages/transport/nats/src/js-consumer.ts',
  },
  {
    first: 'attempts of what was read and never started are written',
    second: 'it is given back',
    crashPoint: 'jetstream.unreadWritten',
    file: 'packages/transport/nats/src/js-consumer.ts',
  },
  {
    first: 'a message is forwarded to another transport',
    second: 'it is acknowledged on the first',
    crashPoint: 'bridge.forwarded',
    file: 'packages/core/src/bus/forwarding.ts',
  },
]

/** Crash points that no scenario reaches yet, each with what it waits for. Whoever covers one takes it off. */
export const uncoveredCrashPoints: Readonly<Record<string, string>> = {}

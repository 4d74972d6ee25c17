import { connect, DiscardPolicy } from 'nats'
import type { Operator } from './operator.ts'

/** On the stream and the consumer that the JetStream transport makes under its default names. */
export async function jetstreamOperator(url: string, topic: string, group: string): Promise<Operator> {
  const connection = await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 250 })
  const manager = await connection.jetstreamManager()
  const stream = `js.${topic}`.replaceAll('.', '_')
  const limit = (maxBytes: number) =>
    manager.streams.update(stream, { max_bytes: maxBytes, discard: DiscardPolicy.New })
  const kept = async () => (await manager.streams.info(stream)).state.messages
  return {
    losses: [
      {
        what: 'the consumer of the group is deleted',
        takesMessages: false,
        async strike() {
          const consumers = await manager.consumers.list(stream).next()
          for (const { name, config } of consumers)
            if (config.description === group) await manager.consumers.delete(stream, name)
        },
      },
      {
        what: 'the stream is deleted',
        takesMessages: true,
        strike: async () => void (await manager.streams.delete(stream)),
      },
    ],
    refusals: [
      {
        what: 'the stream is full (max_bytes)',
        begin: async () => void (await limit(1)),
        end: async () => void (await limit(-1)),
      },
    ],
    // A purge takes consumers along, and only who was there saw where they had been.
    tellsTheAbsent: false,
    kept,
    async cut() {
      const before = await kept()
      const { purged } = await manager.streams.purge(stream, { keep: Math.ceil(before / 2) })
      return purged
    },
    close: () => connection.close(),
  }
}

/** A process of its own that is one member of a group over this transport, until it is killed. */
import { runMember } from '@evt/killed/member'
import { kafkaTransport } from '../src/index.ts'

await runMember((broker = '', prefix = '') =>
  kafkaTransport({ brokers: [broker], prefix, sessionMs: 6_000, partitions: 1 }),
)

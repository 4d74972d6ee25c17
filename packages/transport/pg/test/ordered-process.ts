/** A process of its own that is one member of a group that keeps the order of keys, until it is killed. */
import { createBus, defineEvent, silentLogger, type } from '@evt/core'
import { toldRun } from '@evt/servers/told-run'
import pg from 'pg'
import { pgTransport } from '../src/index.ts'

const [url = ''] = process.argv.slice(2)
const Keyed = defineEvent('raw.keyed', { schema: type<{ key: string; n: number }>(), key: ({ key }) => key })
const transport = pgTransport({ pool: new pg.Pool({ connectionString: url }), pollMs: 50 })
const bus = createBus({ service: 'test', transport, logger: silentLogger })
await bus.subscribe(Keyed, toldRun, { group: 'a', ordered: 'group', leaseMs: 1_500 })
process.once('SIGTERM', () => void bus.close().then(() => process.exit()))

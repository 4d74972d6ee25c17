/** A process of its own that is one member of a group that keeps the order of keys, until it is killed. */
import { createBus, defineEvent, silentLogger, type } from '@evt/core'
import { toldRun } from '@evt/servers/told-run'
import { Redis } from 'ioredis'
import { redisTransport } from '../src/index.ts'

const [url = '', prefix = ''] = process.argv.slice(2)
const Keyed = defineEvent('raw.keyed', { schema: type<{ key: string; n: number }>(), key: ({ key }) => key })
const transport = redisTransport({ client: new Redis(url), prefix })
const bus = createBus({ service: 'test', transport, logger: silentLogger })
await bus.subscribe(Keyed, toldRun, { group: 'a', ordered: 'group', leaseMs: 1_500 })
process.once('SIGTERM', () => void bus.close().then(() => process.exit()))

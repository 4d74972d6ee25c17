/** A process of its own that is one member of a group that keeps the order of keys, until it is killed. */
import { createBus, silentLogger } from '@evt/core'
import { toldRun } from '@evt/servers/told-run'
import { jetstreamTransport } from '../src/index.ts'
import { client, Keyed } from './rig.ts'

const [url = '', prefix = ''] = process.argv.slice(2)
const transport = jetstreamTransport({ connection: () => client(url), prefix })
const bus = createBus({ service: 'test', transport, logger: silentLogger })
await bus.subscribe(Keyed, toldRun, { group: 'a', ordered: 'group', leaseMs: 1_500 })
process.once('SIGTERM', () => void bus.close().then(() => process.exit()))

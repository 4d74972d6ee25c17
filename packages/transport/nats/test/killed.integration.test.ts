import { killedCases } from '@evt/killed'
import { nats, natsFloor } from '@evt/servers'
import { jetstreamTransport } from '../src/index.ts'
import { client } from './rig.ts'

for (const server of [nats, natsFloor]) {
  server.describe(`members of groups over JetStream on ${server.name}`, () => {
    const cases = killedCases({
      program: new URL('member-process.ts', import.meta.url),
      leaseMs: 1_500,
      async create() {
        const { url, prefix, drop } = await server.fresh()
        const transport = jetstreamTransport({ connection: () => client(url), prefix })
        return { transport, address: [url, prefix], drop }
      },
    })
    for (const { name, run } of cases) test(name, run, 90_000)
  })
}

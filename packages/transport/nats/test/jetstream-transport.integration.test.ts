import type { Transport } from '@evt/core'
import { transportCases } from '@evt/core/conformance'
import { type FreshPrefix, nats, natsFloor, type RunningServer } from '@evt/servers'
import { connect } from 'nats'
import { jetstreamTransport } from '../src/index.ts'

const over = (servers: string, prefix: string) =>
  jetstreamTransport({
    prefix,
    connection: () => connect({ servers, maxReconnectAttempts: -1, reconnectTimeWait: 20 }),
  })

for (const server of [nats, natsFloor]) {
  server.describe(`JetStream on ${server.name}`, () => {
    const places = new Map<Transport, FreshPrefix>()
    const cases = transportCases({
      async create() {
        const place = await server.fresh()
        const transport = over(place.url, place.prefix)
        places.set(transport, place)
        return transport
      },
      join: async (transport) => over(places.get(transport)!.url, places.get(transport)!.prefix),
      async dispose(transport) {
        await places.get(transport)!.drop()
        places.delete(transport)
      },
    })
    for (const { name, run } of cases) test(name, run, 60_000)
  })

  server.describe(`JetStream on a ${server.name} that is restarted`, () => {
    for (const kill of [false, true]) {
      let running: RunningServer
      beforeAll(async () => {
        running = await server.start()
      })
      afterAll(() => running.stop())
      const cases = transportCases({
        create: async () => over(running.url, 'restarted'),
        restart: () => running.restart({ kill }),
      })
      for (const { name, run } of cases.filter((each) => each.name.includes('restarts of the server')))
        test(`${name}, ${kill ? 'killed' : 'gracefully'}`, run, 90_000)
    }
  })
}

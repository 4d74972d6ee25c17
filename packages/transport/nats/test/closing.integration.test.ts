import { createBus, silentLogger } from '@evt/core'
import { type FreshPrefix, nats } from '@evt/servers'
import type { NatsConnection } from 'nats'
import { jetstreamTransport, natsTransport } from '../src/index.ts'
import { openProxy } from './proxy.ts'
import { client, Numbered } from './rig.ts'

nats.describe('a bus that closes while it subscribes', () => {
  let place: FreshPrefix
  let proxy: Awaited<ReturnType<typeof openProxy>>
  let owned: NatsConnection
  beforeEach(async () => {
    place = await nats.fresh()
    proxy = await openProxy(place.url)
    owned = await client(proxy.url)
  })
  afterEach(async () => {
    await owned.close()
    await proxy.close()
    await place.drop()
  })

  for (const [name, create, options] of [
    ['NATS core', natsTransport, { group: 'a', deadLetters: 'drop' }],
    ['JetStream', jetstreamTransport, { group: 'a' }],
  ] as const) {
    for (const whose of ['its own connection', 'a connection of somebody else']) {
      it(`${name} over ${whose} refuses what waits for an answer, long before the answer is late`, async () => {
        const connection = whose === 'its own connection' ? () => client(proxy.url) : owned
        const transport = create({ connection, prefix: place.prefix, answerTimeoutMs: 60_000 })
        const bus = createBus({ service: 'test', transport, logger: silentLogger })
        await bus.start()
        proxy.freeze()
        const subscribing = bus.subscribe(Numbered, () => {}, options).catch((error: unknown) => error)
        await bus.close()
        expect(await subscribing).toMatchObject({ code: 'EVT_BUS_CLOSED' })
      })

      it(`${name} over ${whose} is closed for a subscribe that it overtakes at any point`, async () => {
        const connection = whose === 'its own connection' ? () => client(place.url) : owned
        for (let turns = 0; turns < 40; turns += 1) {
          const transport = create({ connection, prefix: place.prefix, answerTimeoutMs: 60_000 })
          const bus = createBus({ service: 'test', transport, logger: silentLogger })
          const subscribing = bus
            .subscribe(Numbered, () => {}, options)
            .then(
              () => 'subscribed',
              (error: { readonly code?: unknown }) => error.code,
            )
          for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve))
          await bus.close()
          expect(['subscribed', 'EVT_BUS_CLOSED']).toContain(await subscribing)
        }
      })
    }
  }
})

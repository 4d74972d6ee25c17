import { type Bus, createBus, silentLogger } from '@evt/core'
import { type FreshPrefix, nats } from '@evt/servers'
import type { NatsConnection } from 'nats'
import { jetstreamTransport, natsTransport } from '../src/index.ts'
import { client, eventually, Numbered } from './rig.ts'

const options = { group: 'a', retry: { attempts: 1 } } as const

nats.describe('a transport that several buses share', () => {
  let place: FreshPrefix
  const made: NatsConnection[] = []
  beforeEach(async () => {
    place = await nats.fresh()
  })
  afterEach(async () => {
    await Promise.all(made.splice(0).map((connection) => connection.close()))
    await place.drop()
  })
  const connection = async () => {
    const each = await client(place.url)
    made.push(each)
    return each
  }

  for (const [name, create, extra] of [
    ['NATS core', natsTransport, { deadLetters: 'drop' }],
    ['JetStream', jetstreamTransport, {}],
  ] as const) {
    const busesOver = (source: Parameters<typeof create>[0]['connection'], errors: unknown[] = []): [Bus, Bus] => {
      const transport = create({ connection: source, prefix: place.prefix })
      const busOf = (service: string) =>
        createBus({ service, transport, logger: silentLogger, onError: (error) => void errors.push(error) })
      return [busOf('first'), busOf('second')]
    }

    it(`${name} serves the second bus after the first has closed, and ends with the last`, async () => {
      const errors: unknown[] = []
      const [first, second] = busesOver(connection, errors)
      const handled: number[] = []
      await Promise.all([
        first.subscribe(Numbered, () => {}, { ...options, ...extra }),
        second.subscribe(Numbered, ({ n }) => void handled.push(n), { ...options, ...extra }),
      ])
      await first.close()
      expect(made.map((each) => each.isClosed())).toEqual([false])
      await second.publish(Numbered, { n: 1 })
      await eventually(async () => handled.length === 1, 'what was published is handled')
      expect((await second.health()).status).toBe('healthy')
      await second.close()
      expect([errors, made.map((each) => each.isClosed())]).toEqual([[], [true]])
    })

    it(`${name} over a connection of somebody else goes on for the second bus, too, and leaves it open`, async () => {
      const owned = await connection()
      const [first, second] = busesOver(owned)
      const handled: number[] = []
      await first.start()
      await second.subscribe(Numbered, ({ n }) => void handled.push(n), { ...options, ...extra })
      await first.close()
      await second.publish(Numbered, { n: 1 })
      await eventually(async () => handled.length === 1, 'what was published is handled')
      await second.close()
      expect([made.length, owned.isClosed()]).toEqual([1, false])
    })

    it(`${name} connects again for a bus that comes after all others have closed`, async () => {
      const [first, second] = busesOver(connection)
      await first.start()
      await first.close()
      await second.publish(Numbered, { n: 1 })
      await second.close()
      expect(made.map((each) => each.isClosed())).toEqual([true, true])
    })

    it(`${name} lets the second bus try again where the first could not connect`, async () => {
      let tries = 0
      const [first, second] = busesOver(async () => {
        tries += 1
        if (tries === 1) throw new Error('not yet')
        return connection()
      })
      const started = await Promise.allSettled([first.start(), second.start()])
      expect(started.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
      await second.start()
      await first.close()
      await second.publish(Numbered, { n: 1 })
      await second.close()
      expect([tries, made.map((each) => each.isClosed())]).toEqual([2, [true]])
    })
  }
})

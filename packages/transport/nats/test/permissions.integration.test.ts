import { type Bus, createBus, silentLogger, type Transport } from '@evt/core'
import { nats, natsFloor, type RunningServer } from '@evt/servers'
import { connect, type NatsConnection } from 'nats'
import { jetstreamTransport, natsTransport } from '../src/index.ts'
import { eventually, Numbered } from './rig.ts'

jest.setTimeout(60_000)

const config = `
authorization {
  users = [
    { user: all, password: p }
    { user: deaf, password: p, permissions: { publish: ">", subscribe: "nothing" } }
    { user: mute, password: p, permissions: { publish: "nothing", subscribe: ">" } }
    { user: idle, password: p, permissions: { publish: { deny: "$JS.API.CONSUMER.MSG.NEXT.>" }, subscribe: ">" } }
  ]
}
no_auth_user: all
`
type User = 'all' | 'deaf' | 'mute' | 'idle'

for (const server of [nats, natsFloor]) {
  server.describe(`without permission on ${server.name}`, () => {
    let running: RunningServer
    let user: User
    let connection: NatsConnection
    let bus: Bus
    let count = 0
    beforeAll(async () => {
      running = await server.start({ config })
    })
    afterAll(() => running.stop())
    afterEach(async () => {
      await bus.close({ deadlineMs: 0 })
      await connection.close()
    })
    const over = async (first: User, transport: (connection: NatsConnection, prefix: string) => Transport) => {
      user = first
      connection = await connect({
        servers: running.url,
        authenticator: () => ({ user, pass: 'p' }),
        maxReconnectAttempts: -1,
        reconnectTimeWait: 20,
      })
      count += 1
      bus = createBus({ service: 'test', logger: silentLogger, transport: transport(connection, `p${count}`) })
    }
    const becomes = async (next: User) => {
      user = next
      await connection.reconnect()
    }
    /** What is published before it listens again may be refused, or lost by core NATS. */
    const readsOn = async (handled: readonly number[]) => {
      const isHandled = () => bus.publish(Numbered, { n: 1 }).then(() => handled.length > 0)
      await eventually(() => isHandled().catch(() => false), 'it reads on')
      await eventually(async () => (await bus.health()).status === 'healthy', 'it is well again')
    }
    const reasons = async () => (await bus.health()).parts.map(({ reason }) => reason).join()
    const core = (client: NatsConnection, prefix: string) => natsTransport({ connection: client, prefix })
    const jetstream = (client: NatsConnection, prefix: string) => jetstreamTransport({ connection: client, prefix })
    const nothing = async () => {}
    const subscribing = (subject: string) => ({
      code: 'EVT_NATS_DENIED',
      details: { permission: 'subscribe', subject },
      message: `NATS denies this user the permission to subscribe to "${subject}"`,
    })

    it('subscribing over NATS core rejects with an error that names permission and subject', async () => {
      await over('deaf', core)
      const denied = subscribing(`p${count}.evt.order.created`)
      for (const sharing of [{ group: 'a' }, { mode: 'broadcast' }] as const)
        await expect(bus.subscribe(Numbered, nothing, { ...sharing, deadLetters: 'drop' })).rejects.toMatchObject(
          denied,
        )
    })

    it('a reader over NATS core that is denied later is unhealthy, and reads on when it is permitted again', async () => {
      await over('all', core)
      const handled: number[] = []
      await bus.subscribe(Numbered, ({ n }) => void handled.push(n), { group: 'a', deadLetters: 'drop' })
      await becomes('deaf')
      await eventually(async () => (await reasons()).includes('permission to subscribe to'), 'health tells of it')
      await becomes('all')
      await readsOn(handled)
    })

    it('publishing over NATS core is refused where the server would drop the message', async () => {
      await over('mute', core)
      await expect(bus.publish(Numbered, { n: 1 })).rejects.toMatchObject({
        code: 'EVT_PUBLISH_REFUSED',
        cause: {
          code: 'EVT_NATS_DENIED',
          details: { permission: 'publish', subject: `p${count}.evt.order.created` },
        },
      })
    })

    it('subscribing over JetStream rejects where answers may not be heard', async () => {
      await over('deaf', jetstream)
      await expect(bus.subscribe(Numbered, nothing, { group: 'a' })).rejects.toMatchObject({
        code: 'EVT_NATS_DENIED',
        details: { permission: 'subscribe', subject: expect.stringMatching(/^_INBOX\..+\.\*$/) },
      })
    })

    it('subscribing and publishing over JetStream reject where its API may not be called', async () => {
      await over('mute', jetstream)
      const subject = `$JS.API.STREAM.INFO.p${count}_evt_order_created`
      const denied = { code: 'EVT_NATS_DENIED', details: { permission: 'publish', subject } }
      await expect(bus.subscribe(Numbered, nothing, { group: 'a' })).rejects.toMatchObject(denied)
      await expect(bus.publish(Numbered, { n: 1 })).rejects.toMatchObject({
        code: 'EVT_PUBLISH_UNAVAILABLE',
        cause: denied,
      })
    })

    for (const [later, permission] of [
      ['deaf', 'subscribe to "_INBOX.'],
      ['idle', 'publish to "$JS.API.CONSUMER.MSG.NEXT.'],
    ] as const) {
      it(`a JetStream reader that may not ${permission}…" later is unhealthy, and reads on when it may again`, async () => {
        await over('all', jetstream)
        const handled: number[] = []
        await bus.subscribe(Numbered, ({ n }) => void handled.push(n), { group: 'a' })
        await becomes(later)
        await eventually(async () => (await reasons()).includes(`permission to ${permission}`), 'health tells of it')
        await becomes('all')
        await readsOn(handled)
      })
    }
  })
}

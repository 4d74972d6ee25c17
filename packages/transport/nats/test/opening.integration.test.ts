import { type AddressInfo, createServer, type Socket } from 'node:net'
import { type Bus, createBus, on, silentLogger } from '@evt/core'
import { nats, type RunningServer } from '@evt/servers'
import { connect } from 'nats'
import { jetstreamTransport, natsTransport } from '../src/index.ts'
import { Numbered } from './rig.ts'

nats.describe('opening without a server', () => {
  let running: RunningServer
  const buses: Bus[] = []
  beforeEach(async () => {
    running = await nats.start()
  })
  afterEach(async () => {
    await Promise.all(buses.splice(0).map((bus) => bus.close()))
    await running.stop()
  })

  for (const [name, create, options] of [
    ['NATS core', natsTransport, { group: 'a', deadLetters: 'drop' }],
    ['JetStream', jetstreamTransport, { group: 'a' }],
  ] as const) {
    const busOver = (connection: Parameters<typeof create>[0]['connection']) => {
      const bus = createBus({ service: 'test', transport: create({ connection }), logger: silentLogger })
      buses.push(bus)
      return bus
    }

    it(`${name} names the address that nobody answers at, and no password, and opens once somebody does`, async () => {
      const { host } = new URL(running.url)
      const bus = busOver(() => connect({ servers: `nats://${host}`, user: 'somebody', pass: 'secret' }))
      await running.kill()
      const work = () => {}
      const settled = await Promise.allSettled([
        bus.subscribe(Numbered, work, options),
        bus.run({ subscriptions: [on(Numbered, work, options)] }),
        bus.start(),
      ])
      for (const { reason: error } of settled as PromiseRejectedResult[]) {
        expect(error).toMatchObject({ code: 'EVT_NATS_UNAVAILABLE', retryable: true })
        expect(error).toMatchObject({ cause: { code: 'CONNECTION_REFUSED' } })
        expect((error as Error).message).toContain(`NATS cannot be reached: connect ECONNREFUSED ${host}`)
        expect((error as Error).message).not.toContain('secret')
      }
      await expect(bus.publish(Numbered, { n: 1 })).rejects.toMatchObject({ code: 'EVT_PUBLISH_UNAVAILABLE' })
      await running.restart()
      await bus.subscribe(Numbered, work, options)
    })

    it(`${name} takes a name that leads nowhere and a server that says nothing for none`, async () => {
      const sockets: Socket[] = []
      const silent = createServer((socket) => void sockets.push(socket))
      await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
      const { port } = silent.address() as AddressInfo
      const nowhere = Object.assign(new Error('getaddrinfo EAI_AGAIN nowhere'), { code: 'EAI_AGAIN' })
      const connections = [() => connect({ servers: `127.0.0.1:${port}`, timeout: 200 }), () => Promise.reject(nowhere)]
      for (const connection of connections) {
        const starting = busOver(connection).start()
        await expect(starting).rejects.toMatchObject({ code: 'EVT_NATS_UNAVAILABLE', retryable: true })
      }
      // The client itself leaves it open.
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => silent.close(resolve))
    })

    it(`${name} passes on what has nothing to do with the server as it is`, async () => {
      for (const own of [new Error('no such secret'), new TypeError('not a function'), undefined]) {
        const starting = busOver(() => Promise.reject(own)).start()
        await expect(starting).rejects.toBe(own)
      }
    })
  }
})

import { createServer, type Server } from 'node:net'
import type { Container, ContainerEngine, ContainerSettings } from '../src/containers.ts'
import type { RunningServer, ServerKind } from '../src/server-kind.ts'
import { obtainServer, startServer } from '../src/start-server.ts'

const here: RunningServer = {
  url: 'redis://here',
  stop: async () => undefined,
  kill: async () => undefined,
  restart: async () => undefined,
}

const kind: ServerKind = {
  name: 'redis',
  variable: 'EVT_REDIS_URL',
  startHere: async () => here,
  container: (port) => ({ service: 'redis', port: 6379, command: ['serve'], url: `redis://127.0.0.1:${port}` }),
  ready: async () => true,
}

/** A container engine whose containers only listen on their port and remember what was done to them. */
function standIn(answers: boolean) {
  const done: string[] = []
  const ran: ContainerSettings[] = []
  let listener: Server
  const up = (port: number) =>
    new Promise<void>((resolve) => {
      listener = createServer((socket) => socket.destroy()).listen(port, '127.0.0.1', resolve)
    })
  const down = () => new Promise<void>((resolve) => listener.close(() => resolve()))
  const engine: ContainerEngine = {
    answers: async () => answers,
    async run(settings) {
      ran.push(settings)
      await up(settings.hostPort)
      const step = (name: keyof Container, work: () => Promise<void>) => () => {
        done.push(name)
        return work()
      }
      return {
        down: step('down', down),
        kill: step('kill', down),
        up: step('up', () => up(settings.hostPort)),
        remove: step('remove', down),
      }
    },
  }
  return { engine, ran, done }
}

describe('where a server comes from', () => {
  it('is the address in the environment first, which is not asked to stop', async () => {
    const { engine, ran } = standIn(true)
    const server = await obtainServer(kind, {}, { EVT_REDIS_URL: 'redis://given' }, engine)
    expect(server.url).toBe('redis://given')
    await server.stop()
    expect(ran).toEqual([])
  })

  it('is a container of the image in docker-compose.yml where an engine answers', async () => {
    const { engine, ran, done } = standIn(true)
    const server = await obtainServer(kind, {}, {}, engine)
    expect(ran).toEqual([
      {
        image: expect.stringMatching(/^redis:7\.\d+\.\d+/),
        command: ['serve'],
        environment: {},
        containerPort: 6379,
        hostPort: Number(new URL(server.url).port),
      },
    ])
    await server.stop()
    expect(done).toEqual(['remove'])
  })

  it('is this machine where no engine answers', async () => {
    expect(await obtainServer(kind, {}, {}, standIn(false).engine)).toBe(here)
  })

  it('is a container in spite of an address when EVT_SERVERS says docker', async () => {
    const { engine, done } = standIn(true)
    const server = await obtainServer(kind, {}, { EVT_REDIS_URL: 'redis://given', EVT_SERVERS: 'docker' }, engine)
    expect(server.url).toMatch(/^redis:\/\/127\.0\.0\.1:/)
    await server.stop()
    expect(done).toEqual(['remove'])
  })

  it('is nowhere when EVT_SERVERS says docker and no engine answers', async () => {
    const refused = obtainServer(kind, {}, { EVT_SERVERS: 'docker' }, standIn(false).engine)
    await expect(refused).rejects.toThrow('EVT_SERVERS=docker, but no container engine answers')
  })

  it('refuses an EVT_SERVERS that it does not know', async () => {
    await expect(obtainServer(kind, {}, { EVT_SERVERS: 'podman' }, standIn(true).engine)).rejects.toThrow('"podman"')
  })

  it('is never the address in the environment for a private server', async () => {
    const server = await startServer(kind, {}, { EVT_REDIS_URL: 'redis://given' }, standIn(false).engine)
    expect(server).toBe(here)
  })
})

describe('a server in a container', () => {
  it('is killed and restarted as the same container and port', async () => {
    const { engine, ran, done } = standIn(true)
    const server = await startServer(kind, {}, {}, engine)
    await server.kill()
    await server.restart()
    await server.restart()
    await server.restart({ kill: true })
    await server.stop()
    expect(done).toEqual(['kill', 'up', 'down', 'up', 'kill', 'up', 'remove'])
    expect(ran).toHaveLength(1)
  })

  it('is removed when it never becomes ready', async () => {
    const { engine, done } = standIn(true)
    const broken: ServerKind = { ...kind, container: (port) => ({ ...kind.container(port, {}), service: 'redis' }) }
    const removed = startServer({ ...broken, ready: () => Promise.reject(new Error('never')) }, {}, {}, engine, 50)
    await expect(removed).rejects.toThrow('redis in a container was not ready after 50 ms')
    expect(done).toEqual(['remove'])
  })
})

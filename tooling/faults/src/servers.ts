import { freePort, kafka, nats, postgres, type RunningServer, redis } from '@evt/servers'
import { startProxy, type TcpProxy } from './nemesis/proxy.ts'
import type { BrokerName } from './stages.ts'

/** A server of this run alone, so that it may be killed. */
export interface PrivateServer extends RunningServer {
  /** Stands before it for as long as it is there, where the server itself tells its clients where it is. */
  readonly proxy?: TcpProxy
}

export interface Servers {
  store(): Promise<PrivateServer>
  broker(name: BrokerName): Promise<PrivateServer>
  stop(): Promise<void>
}

/** Starts each server when it is first asked for. Everything an acknowledged write promises is switched on. */
export function createServers(): Servers {
  const started = new Map<string, Promise<PrivateServer>>()
  const make: Readonly<Record<BrokerName, () => Promise<PrivateServer>>> = {
    postgres: () => postgres.start({ settings: { max_connections: '300', max_prepared_transactions: '10' } }),
    redis: () => redis.start({ settings: { appendonly: 'yes', appendfsync: 'always' } }),
    nats: () => nats.start(),
    kafka: kafkaBehindProxy,
  }
  const ask = (name: BrokerName) => {
    const running = started.get(name) ?? make[name]()
    started.set(name, running)
    return running
  }
  return {
    store: () => ask('postgres'),
    broker: ask,
    async stop() {
      await Promise.allSettled([...started.values()].map(async (server) => (await server).stop()))
    },
  }
}

/** Clients go to whichever address the broker tells them: those that come through the proxy are told the proxy's. */
async function kafkaBehindProxy(): Promise<PrivateServer> {
  const port = await freePort()
  const proxy = await startProxy(new URL(`tcp://127.0.0.1:${port}`))
  const server = await kafka.start({ proxied: { port, advertised: proxy.port } })
  return {
    ...server,
    proxy,
    async stop() {
      await proxy.close()
      await server.stop()
    },
  }
}

import { kafka, nats, postgres, type RunningServer, redis } from '@evt/servers'
import type { BrokerName } from './stages.ts'

/** A server of this run alone, so that it may be killed. */
export type PrivateServer = RunningServer

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
    kafka: () => kafka.start(),
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

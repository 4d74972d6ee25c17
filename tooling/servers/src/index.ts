import type { KafkaOptions } from './kafka.ts'
import { kinds } from './kinds.ts'
import type { NatsOptions } from './nats.ts'
import {
  type FreshDatabase,
  type FreshKafka,
  type FreshMongo,
  type FreshPrefix,
  freshKafka,
  freshMongo,
  freshNats,
  freshPostgres,
  freshRedis,
} from './places.ts'
import type { PostgresOptions } from './postgres.ts'
import type { RedisOptions } from './redis.ts'
import { type TestServer, testServer } from './test-server.ts'

export { freePort } from './free-port.ts'
export type { FreshDatabase, FreshKafka, FreshMongo, FreshPrefix } from './places.ts'
export type { RunningServer } from './server-kind.ts'
export { sourceRun } from './source-run.ts'
export type { TestServer } from './test-server.ts'
export type { KafkaOptions, NatsOptions, PostgresOptions, RedisOptions }

export const postgres: TestServer<FreshDatabase, PostgresOptions> = testServer(kinds.postgres, freshPostgres)
/** Debian's PostgreSQL 15, where it is installed. */
export const postgres15: TestServer<FreshDatabase, PostgresOptions> = testServer(kinds.postgres15, freshPostgres)
export const redis: TestServer<FreshPrefix, RedisOptions> = testServer(kinds.redis, freshRedis)
export const nats: TestServer<FreshPrefix, NatsOptions> = testServer(kinds.nats, freshNats)
/** The oldest NATS that is supported, 2.9. */
export const natsFloor: TestServer<FreshPrefix, NatsOptions> = testServer(kinds.natsFloor, freshNats)
export const kafka: TestServer<FreshKafka, KafkaOptions> = testServer(kinds.kafka, freshKafka)
export const mongo: TestServer<FreshMongo, object> = testServer(kinds.mongo, freshMongo)

/** Whether this run has a PostgreSQL. */
export const hasPostgres: boolean = postgres.isHere

/** A database of its own on the run's PostgreSQL, with a pool of at most this many connections. */
export function freshDatabase(connections = 20): Promise<FreshDatabase> {
  return freshPostgres(process.env.EVT_PG_URL!, connections)
}

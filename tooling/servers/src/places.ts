/** A place of its own on the run's server, so that test files do not meet. */
import { randomUUID } from 'node:crypto'
import pg from 'pg'

/** A database of its own on the run's PostgreSQL. */
export interface FreshDatabase {
  readonly url: string
  readonly pool: pg.Pool
  /** Closes the pool and removes the database. */
  drop(): Promise<void>
}

/** Names that nobody else uses on the run's server. */
export interface FreshPrefix {
  readonly url: string
  /** Letters and digits. Names that start with it are this test's own. */
  readonly prefix: string
  /** Removes everything whose name starts with `prefix`. */
  drop(): Promise<void>
}

export interface FreshKafka extends FreshPrefix {
  /** `host:port` of each broker. */
  readonly brokers: readonly string[]
}

/** A MongoDB database of its own. */
export interface FreshMongo {
  /** Names the database. */
  readonly url: string
  readonly database: string
  drop(): Promise<void>
}

const freshName = () => `evt${randomUUID().replaceAll('-', '')}`

export async function freshPostgres(base: string, connections = 20): Promise<FreshDatabase> {
  const name = freshName()
  await withClient(base, (client) => client.query(`create database ${name}`))
  const url = new URL(base)
  url.pathname = `/${name}`
  const pool = new pg.Pool({ connectionString: url.href, max: connections })
  // A connection that a test kills on purpose must not end the test.
  pool.on('error', () => undefined)
  return {
    url: url.href,
    pool,
    async drop() {
      await pool.end()
      await withClient(base, async (client) => {
        await everybodyGone(client, name)
        await client.query(`drop database ${name} with (force)`)
      })
    },
  }
}

const leavingMs = 2_000

/** A pool says that it has ended before the server knows: to be thrown out then is an error that nobody listens to any more. */
async function everybodyGone(client: pg.Client, database: string): Promise<void> {
  const endMs = performance.now() + leavingMs
  const sql = `select count(*)::int as count from pg_stat_activity where datname = $1 and backend_type = 'client backend'`
  const isAnybodyThere = async () => (await client.query(sql, [database])).rows[0].count > 0
  while ((await isAnybodyThere()) && performance.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 5))
}

async function withClient(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}

export async function freshRedis(url: string): Promise<FreshPrefix> {
  const prefix = freshName()
  return {
    url,
    prefix,
    async drop() {
      const { Redis } = await import('ioredis')
      const client = new Redis(url)
      for await (const keys of client.scanStream({ match: `${prefix}*`, count: 1_000 })) {
        if (keys.length > 0) await client.unlink(...keys)
      }
      await client.quit()
    },
  }
}

export async function freshNats(url: string): Promise<FreshPrefix> {
  const prefix = freshName()
  return {
    url,
    prefix,
    async drop() {
      const { connect } = await import('nats')
      const connection = await connect({ servers: url })
      const { streams } = await connection.jetstreamManager()
      for await (const { config } of streams.list()) {
        // Buckets put KV_ and OBJ_ before their names.
        const own = config.name.replace(/^(KV|OBJ)_/, '').startsWith(prefix)
        if (own || config.subjects?.some((subject) => subject.startsWith(prefix))) await streams.delete(config.name)
      }
      await connection.close()
    },
  }
}

export async function freshKafka(url: string): Promise<FreshKafka> {
  const prefix = freshName()
  const brokers = url.replace(/^kafka:\/\//, '').split(',')
  return {
    url,
    brokers,
    prefix,
    async drop() {
      const { Kafka, logLevel } = await import('kafkajs')
      const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin()
      await admin.connect()
      const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix))
      if (topics.length > 0) await admin.deleteTopics({ topics })
      const { groups } = await admin.listGroups()
      const own = groups.map(({ groupId }) => groupId).filter((group) => group.startsWith(prefix))
      if (own.length > 0) await admin.deleteGroups(own)
      await admin.disconnect()
    },
  }
}

export async function freshMongo(base: string): Promise<FreshMongo> {
  const database = freshName()
  const url = new URL(base)
  url.pathname = `/${database}`
  return {
    url: url.href,
    database,
    async drop() {
      const { MongoClient } = await import('mongodb')
      const client = new MongoClient(url.href)
      await client.db(database).dropDatabase()
      await client.close()
    },
  }
}

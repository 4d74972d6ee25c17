import { Redis } from 'ioredis'
import kafkajs from 'kafkajs'
import { connect } from 'nats'
import pg from 'pg'

export interface ServerFacts {
  readonly version: string
  /** What differs from its defaults, and what its speed hangs on. */
  readonly settings: Readonly<Record<string, string>>
}

const redisSettings = ['appendonly', 'appendfsync', 'save', 'maxmemory', 'maxmemory-policy', 'io-threads']

/** What a server says of itself. */
export const askServer = { postgres: askPostgres, redis: askRedis, nats: askNats, kafka: askKafka }

async function askPostgres(connectionString: string): Promise<ServerFacts> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    const { rows } = await client.query(
      `select name, current_setting(name) as value from pg_settings
       where source not in ('default', 'override', 'client', 'session')
         and name !~* '(director|file|port|path|timezone|addresses|listen|^lc_|style|search_config)'
         or name in ('fsync', 'synchronous_commit', 'shared_buffers', 'wal_level', 'full_page_writes', 'server_version')
       order by name`,
    )
    const settings = Object.fromEntries(
      (rows as { name: string; value: string }[]).map(({ name, value }) => [name, value]),
    )
    return { version: settings.server_version!, settings }
  } finally {
    await client.end()
  }
}

async function askRedis(url: string): Promise<ServerFacts> {
  const client = new Redis(url)
  try {
    const version = /^redis_version:(.*?)\r?$/m.exec(await client.info('server'))?.[1]
    const settings: Record<string, string> = {}
    for (const name of redisSettings) {
      const [, value] = (await client.config('GET', name)) as string[]
      if (value !== undefined) settings[name] = value
    }
    return { version: version ?? 'not told', settings }
  } finally {
    client.disconnect()
  }
}

async function askNats(url: string): Promise<ServerFacts> {
  const connection = await connect({ servers: url })
  const { version, jetstream, max_payload } = connection.info!
  await connection.close()
  return { version, settings: { jetstream: String(jetstream === true), max_payload: String(max_payload) } }
}

/** The protocol tells settings, but no version. */
async function askKafka(url: string): Promise<ServerFacts> {
  const brokers = url.split(',').map((each) => each.replace(/^\w+:\/\//, ''))
  const admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    const { brokers: nodes } = await admin.describeCluster()
    const name = String(nodes[0]!.nodeId)
    const resources = [{ type: kafkajs.ConfigResourceTypes.BROKER, name }]
    const { resources: described } = await admin.describeConfigs({ includeSynonyms: false, resources })
    const changed = described[0]!.configEntries.filter(
      ({ configName, isDefault, isSensitive }) =>
        !isDefault && !isSensitive && !/dirs?$|listener|voters/.test(configName),
    )
    return {
      version: 'not told by the protocol',
      settings: Object.fromEntries(changed.map(({ configName, configValue }) => [configName, configValue ?? ''])),
    }
  } finally {
    await admin.disconnect()
  }
}

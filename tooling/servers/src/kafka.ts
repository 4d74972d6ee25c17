/** Kafka, broker and controller in one process, from Maven's repository. */
import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { onPath, output, provisioned } from './provision.ts'
import type { ServerKind } from './server-kind.ts'
import { startServerProcess } from './server-process.ts'
import { throwAwayFolder } from './throw-away-folder.ts'

const version = '4.3.0'
const modules = [`org.apache.kafka:kafka_2.13:${version}`, 'org.slf4j:slf4j-simple:1.7.36']

export interface KafkaOptions {
  /** Lines of server.properties, such as `{ 'num.partitions': '6' }`; one broker that answers fast by default. */
  readonly settings?: Readonly<Record<string, string>>
  /** A second listener on `port`, whose clients are told that the broker is at `advertised`: there stands a proxy. Not in a container. */
  readonly proxied?: { readonly port: number; readonly advertised: number }
}

export const kafkaKind: ServerKind<KafkaOptions> = {
  name: 'kafka',
  variable: 'EVT_KAFKA_URL',
  async startHere({ settings, proxied }) {
    const java = onPath('java')
    if (java === undefined) throw new Error('Kafka needs Java 17 or newer, and there is no java on this machine')
    const classPath = join(await libraries(), '*')
    const folder = await throwAwayFolder('kafka')
    const port = await freePort()
    const file = join(folder, 'server.properties')
    const all = { ...properties(port, await freePort(), proxied), 'log.dirs': join(folder, 'data'), ...settings }
    await writeFile(
      file,
      Object.entries(all)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    )
    const cluster = randomUUID().replaceAll('-', '').slice(0, 22)
    const format = ['kafka.tools.StorageTool', 'format', '-t', cluster, '-c', file]
    await output(java, ['-XX:TieredStopAtLevel=1', '-cp', classPath, ...format])
    const small = ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
    return startServerProcess({
      name: 'Kafka',
      url: urlOf(port),
      command: java,
      args: [...small, '-cp', classPath, 'kafka.Kafka', file],
      removeFolder: folder,
      ready,
    })
  },
  // The broker also talks to itself at the address that it tells its clients: the ports must be the same.
  container(port, { settings = {}, proxied }) {
    if (proxied !== undefined) throw new Error('Kafka in a container has no second listener')
    return {
      service: 'kafka',
      port,
      environment: {
        KAFKA_LISTENERS: `PLAINTEXT://:${port},CONTROLLER://:${port === 9093 ? 9094 : 9093}`,
        KAFKA_ADVERTISED_LISTENERS: urlOf(port).replace('kafka:', 'PLAINTEXT:'),
        ...Object.fromEntries(
          Object.entries(settings).map(([name, value]) => [`KAFKA_${name.toUpperCase().replaceAll('.', '_')}`, value]),
        ),
      },
      url: urlOf(port),
    }
  },
  ready,
}

const urlOf = (port: number) => `kafka://127.0.0.1:${port}`

const properties = (
  port: number,
  controllerPort: number,
  proxied: KafkaOptions['proxied'],
): Record<string, string> => ({
  'process.roles': 'broker,controller',
  'node.id': '1',
  'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
  listeners: [...listeners(port, proxied?.port), `CONTROLLER://127.0.0.1:${controllerPort}`].join(),
  'advertised.listeners': listeners(port, proxied?.advertised).join(),
  'controller.listener.names': 'CONTROLLER',
  'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT',
  'offsets.topic.replication.factor': '1',
  'offsets.topic.num.partitions': '4',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'transaction.state.log.num.partitions': '4',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
  'group.initial.rebalance.delay.ms': '0',
  // After a crash the broker is let in again once its last session is over; 9 s by default.
  'broker.session.timeout.ms': '3000',
  'broker.heartbeat.interval.ms': '500',
})

function listeners(port: number, proxiedPort: number | undefined): readonly string[] {
  const own = `PLAINTEXT://127.0.0.1:${port}`
  return proxiedPort === undefined ? [own] : [own, `PROXIED://127.0.0.1:${proxiedPort}`]
}

async function libraries(): Promise<string> {
  const mvn = onPath('mvn')
  return provisioned(`kafka-${version}`, `Kafka ${version} (44 MB, by Maven)`, async (making) => {
    if (mvn === undefined) throw new Error(`Kafka ${version} is not on this machine, and there is no Maven to fetch it`)
    const project = join(making, 'pom.xml')
    await writeFile(project, pom())
    const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${making}`]
    await output(mvn, ['-q', '-B', '-f', project, ...goal])
  })
}

function pom(): string {
  const dependencies = modules.map((module) => {
    const [group, artifact, release] = module.split(':')
    const names = `<groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${release}</version>`
    return `<dependency>${names}</dependency>`
  })
  return `<project><modelVersion>4.0.0</modelVersion><groupId>evt</groupId><artifactId>servers</artifactId>
<version>1</version><packaging>pom</packaging><dependencies>${dependencies.join('')}</dependencies></project>`
}

/** Its group coordinators answer "loading" for a second or two after the start: ready is when a group has joined. */
async function ready(url: string): Promise<boolean> {
  const { Kafka, logLevel } = await import('kafkajs')
  const kafka = new Kafka({
    brokers: [new URL(url).host],
    logLevel: logLevel.NOTHING,
    // Whoever waits tries again; what the client retries on its own outlives its disconnect.
    retry: { retries: 5, initialRetryTime: 50, maxRetryTime: 300, restartOnFailure: async () => false },
  })
  const topic = `evt-ready-${randomUUID()}`
  const admin = kafka.admin()
  const consumer = kafka.consumer({ groupId: topic, maxWaitTimeInMs: 100 })
  try {
    await admin.connect()
    await admin.createTopics({ topics: [{ topic }], waitForLeaders: true })
    await consumer.connect()
    await consumer.subscribe({ topic })
    const joined = new Promise<void>((resolve, reject) => {
      consumer.on('consumer.group_join', () => resolve())
      consumer.on('consumer.crash', ({ payload }) => reject(payload.error))
    })
    await Promise.all([consumer.run({ eachMessage: async () => undefined }), joined])
    await consumer.disconnect()
    await admin.deleteGroups([topic])
    await admin.deleteTopics({ topics: [topic] })
    return true
  } finally {
    await consumer.disconnect()
    await admin.disconnect()
  }
}

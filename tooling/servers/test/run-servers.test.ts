import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { kinds } from '../src/kinds.ts'
import { startRunServers } from '../src/run-servers.ts'

const nowhere = { EVT_SERVERS: 'podman' }

it('a run says why it has no server of a kind, and goes on', async () => {
  const run = await startRunServers(new Set(['redis']), { ...nowhere, EVT_KAFKA_URL: 'kafka://given' })
  expect([...run.leftOut]).toEqual([['redis', expect.stringContaining('EVT_SERVERS')]])
  expect(run.missing).toEqual([])
  await run.stop()
})

it('a run misses what EVT_REQUIRE_SERVERS names, if its tests need it', async () => {
  const run = await startRunServers(new Set(['redis']), { ...nowhere, EVT_REQUIRE_SERVERS: 'kafka, redis' })
  expect(run.missing).toEqual(['redis'])
})

it('a run refuses an EVT_REQUIRE_SERVERS that names no kind of server', async () => {
  const refused = startRunServers(new Set(), { EVT_REQUIRE_SERVERS: 'rabbit' })
  await expect(refused).rejects.toThrow('EVT_REQUIRE_SERVERS names rabbit')
})

it('a run hands a given address on to its tests', async () => {
  const run = await startRunServers(new Set(['kafka']), { EVT_KAFKA_URL: 'kafka://given' })
  expect(run.environment).toMatchObject({ EVT_KAFKA_URL: 'kafka://given' })
})

it('the script of CI lets no kind of server be missing, but the one that is used only where it is installed', () => {
  const script = readFileSync(join(__dirname, '../../../.ci/run'), 'utf8')
  const [, required] = /^export EVT_REQUIRE_SERVERS=(\S+)$/m.exec(script)!
  const names = Object.values(kinds).map(({ name }) => name)
  expect(required!.split(',').sort()).toEqual(names.filter((name) => name !== kinds.postgres15.name).sort())
})

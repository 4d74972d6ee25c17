/** One server of each kind that the selected tests need, for the whole run. */
import '../typescript.mjs'

export default async function setUp() {
  const { neededServers } = await import('./src/needed-servers.ts')
  const { startRunServers } = await import('./src/run-servers.ts')
  const servers = await startRunServers(neededServers(globalThis.evtTestFiles))
  const before = Object.keys(servers.environment).map((name) => [name, process.env[name]])
  Object.assign(process.env, servers.environment)
  globalThis.evtServers = { ...servers, before }
}

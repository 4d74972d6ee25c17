/** One server of each kind for the whole run: the address in the environment, or one started here. */
import { startPostgres } from './postgres.mjs'

export default async function start() {
  if (process.env.EVT_PG_URL !== undefined) return
  try {
    const server = await startPostgres()
    process.env.EVT_PG_URL = server.url
    globalThis.evtServers = [server]
  } catch (error) {
    if (process.env.EVT_REQUIRE_SERVERS?.includes('postgres')) throw error
    console.error(`No PostgreSQL, so its tests are left out: ${error}`)
  }
}

import { evtError } from '@evt/core'
import { type RunningServer, startPostgres } from '@evt/servers/postgres'
import type {} from './errors.ts'

/** A PostgreSQL of the demo's own, in a folder that is kept or a throw-away one. Rejects with `EVT_DEMO_DATABASE`. */
export async function startEmbedded(folder: string | undefined): Promise<RunningServer> {
  try {
    return await startPostgres(folder === undefined ? {} : { folder })
  } catch (cause) {
    const database = folder ?? 'a temporary folder'
    const message = `The embedded PostgreSQL does not start in ${database}: ${(cause as Error).message}`
    throw evtError('EVT_DEMO_DATABASE', message, { database }, { cause })
  }
}

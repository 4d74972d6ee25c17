import { chmod, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder for one server's files; a server that runs as another user can pass through. */
export async function throwAwayFolder(kind: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `evt-${kind}-`))
  await chmod(folder, 0o755)
  return folder
}

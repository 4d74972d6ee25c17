import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { provisioned } from '../src/provision.ts'

let home: string
let root: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'evt-home-'))
  root = join(home, '.cache', 'evt', 'servers')
})
afterEach(() => rmSync(home, { recursive: true }))

it('two who want the same thing at once get it made once', async () => {
  let made = 0
  const make = async (folder: string) => {
    made += 1
    writeFileSync(join(folder, 'program'), '')
  }
  const want = () => provisioned('thing', 'a thing', make, home)
  expect(await Promise.all([want(), want(), want()])).toEqual(Array(3).fill(join(root, 'thing')))
  expect(made).toBe(1)
  expect(readdirSync(root)).toEqual(['thing'])
})

it('what could not be made leaves nothing behind, and is tried again', async () => {
  const failing = provisioned('thing', 'a thing', () => Promise.reject(new Error('no network')), home)
  await expect(failing).rejects.toThrow('no network')
  expect(readdirSync(root)).toEqual([])
  await provisioned('thing', 'a thing', async () => undefined, home)
  expect(existsSync(join(root, 'thing'))).toBe(true)
})

it('the lock of a process that died is taken over', async () => {
  await provisioned('other', 'another thing', async () => undefined, home)
  // The largest process id of Linux is 2 to the power of 22.
  writeFileSync(join(root, 'thing.lock'), '99999999')
  await provisioned('thing', 'a thing', async () => undefined, home)
  expect(readdirSync(root).sort()).toEqual(['other', 'thing'])
})

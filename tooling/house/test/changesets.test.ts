import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readPackages } from '../src/workspace.ts'
import { root } from './installed-packages.ts'

let copy: string
beforeEach(() => {
  copy = mkdtempSync(join(tmpdir(), 'evt-copy-'))
  const files = git(root, 'ls-files', '-z', '--cached', '--others', '--exclude-standard').split('\0')
  for (const file of files) if (file !== '' && existsSync(join(root, file))) cpSync(join(root, file), join(copy, file))
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  for (const file of readdirSync(join(copy, '.changeset'))) {
    if (file.endsWith('.md')) rmSync(join(copy, '.changeset', file))
  }
  git(copy, 'init', '--quiet')
  git(copy, 'add', '.')
  git(copy, '-c', 'user.name=test', '-c', 'user.email=test@example.com', 'commit', '--quiet', '--message', 'copy')
})
afterEach(() => rmSync(copy, { recursive: true, force: true }))

test('a changeset for one package bumps that package alone', () => {
  const before = versions()
  writeFileSync(join(copy, '.changeset/one.md'), "---\n'@evt/outbox-pg': minor\n---\n\nOne change.\n")
  execFileSync(process.execPath, [join(root, 'node_modules/@changesets/cli/bin.js'), 'version'], { cwd: copy })
  const after = versions()
  const bumped = [...after.keys()].filter((name) => after.get(name) !== before.get(name))
  expect(bumped).toEqual(['@evt/outbox-pg'])
  expect(readFileSync(join(copy, 'packages/outbox/pg/CHANGELOG.md'), 'utf8')).toContain('One change.')
}, 60_000)

function versions(): ReadonlyMap<string, string> {
  const folders = ['apps', 'tooling'].flatMap((parent) =>
    readdirSync(join(copy, parent)).map((name) => join(copy, parent, name, 'package.json')),
  )
  const inner = folders.filter((file) => existsSync(file)).map((file) => JSON.parse(readFileSync(file, 'utf8')))
  const published = readPackages(copy).map((one) => one.manifest)
  return new Map([...published, ...inner].map(({ name, version }) => [name, version]))
}

function git(folder: string, ...args: readonly string[]): string {
  return execFileSync('git', args, { cwd: folder, encoding: 'utf8' })
}

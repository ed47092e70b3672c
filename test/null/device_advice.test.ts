import { describe, expect, test } from 'vitest'
import type { AdapterReport } from '../../host/device/adapter.ts'
import { adviceFor, debianUri, parseOsRelease, type SystemFacts } from '../../host/device/advice.ts'

const facts = (change: Partial<SystemFacts> = {}): SystemFacts => ({
  platform: 'linux',
  isRoot: false,
  release: { ID: 'debian', VERSION_ID: '12' },
  debianUri: 'http://mirror.example/debian',
  gpuFiles: [],
  ...change,
})
const commands = (change: Partial<SystemFacts>): readonly string[] =>
  adviceFor('swiftshader', [], facts(change)).flatMap((advice) => advice.commands)
const lavapipe: AdapterReport = {
  kind: 'lavapipe',
  name: 'llvmpipe',
  driver: '',
  vendor: '',
  accepted: true,
  reason: '',
}

describe('advice', () => {
  test('for Debian 12 is lavapipe from backports, on the mirror the system has', () => {
    expect(commands({})).toEqual([
      "echo 'deb http://mirror.example/debian bookworm-backports main' | sudo tee /etc/apt/sources.list.d/backports.list",
      'sudo apt-get update && sudo apt-get install -t bookworm-backports mesa-vulkan-drivers libvulkan1',
    ])
  })

  test('for root has no sudo', () => {
    expect(commands({ isRoot: true }).join(' ')).not.toContain('sudo')
  })

  test.each([
    [{ ID: 'debian', VERSION_ID: '13' }, 'sudo apt-get install mesa-vulkan-drivers libvulkan1'],
    [{ ID: 'ubuntu', ID_LIKE: 'debian', VERSION_ID: '24.04' }, 'sudo apt-get install mesa-vulkan-drivers libvulkan1'],
    [{ ID: 'ubuntu', ID_LIKE: 'debian', VERSION_ID: '22.04' }, 'sudo add-apt-repository ppa:kisak/kisak-mesa'],
    [{ ID: 'linuxmint', ID_LIKE: 'ubuntu debian' }, 'sudo apt-get install mesa-vulkan-drivers libvulkan1'],
    [{ ID: 'fedora', VERSION_ID: '41' }, 'sudo dnf install mesa-vulkan-drivers vulkan-loader'],
    [{ ID: 'arch' }, 'sudo pacman -S vulkan-swrast vulkan-icd-loader'],
    [{ ID: 'opensuse-leap', ID_LIKE: 'suse opensuse' }, 'sudo zypper install libvulkan_lvp libvulkan1'],
    [{ ID: 'something' }, undefined],
  ])('for %o starts with: %s', (release, command) => {
    expect(commands({ release: release as Record<string, string> })[0]).toBe(command)
  })

  test('is none on a GPU, and none on lavapipe without one', () => {
    expect(adviceFor('gpu', [], facts())).toEqual([])
    expect(adviceFor('lavapipe', [lavapipe], facts())).toEqual([])
  })

  test('names a GPU whose driver is missing', () => {
    const [first] = adviceFor('lavapipe', [lavapipe], facts({ gpuFiles: ['/dev/nvidia0'] }))
    expect(first!.text).toContain('an NVIDIA GPU is there (/dev/nvidia0)')
  })

  test('tells who asked for SwiftShader that lavapipe is here', () => {
    expect(adviceFor('swiftshader', [lavapipe], facts())).toEqual([
      { text: 'lavapipe is here and faster: ask for no adapter', commands: [] },
    ])
  })

  test('is the same where nothing works at all', () => {
    expect(adviceFor(undefined, [], facts())).toEqual(adviceFor('swiftshader', [], facts()))
  })
})

describe('system facts', () => {
  test('os-release fields lose their quotes', () => {
    expect(parseOsRelease('ID=debian\nVERSION_ID="12"\n# no\nNAME=\'A B\'\n')).toEqual({
      ID: 'debian',
      VERSION_ID: '12',
      NAME: 'A B',
    })
  })

  test.each([
    ['deb http://a.example/debian bookworm main\n', 'http://a.example/debian'],
    ['deb [signed-by=/k arch=amd64] https://b.example/debian/ bookworm main\n', 'https://b.example/debian/'],
    ['Types: deb\nURIs: http://c.example/debian\nSuites: bookworm\n', 'http://c.example/debian'],
    ['deb http://d.example/debian-security bookworm-security main\n', undefined],
    ['# deb http://e.example/debian bookworm main\n', undefined],
  ])('the Debian archive of %j is %s', (sources, uri) => {
    expect(debianUri(sources)).toBe(uri)
  })
})

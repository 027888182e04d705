#!/usr/bin/python3
"""The steps of bench/pictures.cpp in PyTorch: pictures.py gan|diffusion [THREADS]. Prints the median time of a step, of the
faster of the two layouts of images (channels first, channels last).

PyTorch is fastest with the settings that cnn.py names.
"""
import math
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

WORKLOAD = sys.argv[1] if len(sys.argv) > 1 else "gan"
THREADS = int(sys.argv[2]) if len(sys.argv) > 2 else 2
STEPS = 11
ROWS, SIDE, CLASSES = 64, 28, 10


class Generator(nn.Module):
    def __init__(self, code=64, width=32):
        super().__init__()
        self.width = width
        self.code = nn.Linear(code, 49 * 2 * width, bias=False)
        self.norm0, self.norm1 = nn.BatchNorm2d(2 * width), nn.BatchNorm2d(width)
        self.larger1 = nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False)
        self.larger2 = nn.ConvTranspose2d(width, 1, 4, 2, 1)

    def forward(self, z):
        h = self.code(z).view(-1, 2 * self.width, 7, 7)
        h = F.relu(self.norm1(self.larger1(F.relu(self.norm0(h)))))
        return torch.sigmoid(self.larger2(h))


class Discriminator(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.smaller1 = nn.Conv2d(1, width, 4, 2, 1)
        self.smaller2 = nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(2 * width)
        self.real = nn.Linear(49 * 2 * width, 1)

    def forward(self, pixels):
        h = F.leaky_relu(self.smaller1(pixels * 2 - 1), 0.2)
        h = F.leaky_relu(self.norm(self.smaller2(h)), 0.2)
        return self.real(h.flatten(1))[:, 0]


def gan_step(layout):
    generator, discriminator = Generator().to(memory_format=layout), Discriminator().to(memory_format=layout)
    of_d = torch.optim.Adam(discriminator.parameters(), 2e-4, (0.5, 0.999))
    of_g = torch.optim.Adam(generator.parameters(), 2e-4, (0.5, 0.999))
    images = torch.randint(0, 256, (ROWS, 1, SIDE, SIDE), dtype=torch.uint8)

    def step():
        x = (images.float() / 255).contiguous(memory_format=layout)
        with torch.no_grad():
            made = generator(torch.randn(ROWS, 64))
        of_d.zero_grad()
        (F.softplus(-discriminator(x)) + F.softplus(discriminator(made))).mean().backward()
        of_d.step()
        of_g.zero_grad()
        for p in discriminator.parameters():
            p.requires_grad_(False)
        F.softplus(-discriminator(generator(torch.randn(ROWS, 64)))).mean().backward()
        of_g.step()
        for p in discriminator.parameters():
            p.requires_grad_(True)

    return step


class Block(nn.Module):
    def __init__(self, inputs, width, units):
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(8, inputs), nn.GroupNorm(8, width)
        self.conv1, self.conv2 = nn.Conv2d(inputs, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        self.about = nn.Linear(units, width)
        self.around = nn.Conv2d(inputs, width, 1, bias=False) if inputs != width else nn.Identity()

    def forward(self, x, about):
        h = self.conv1(F.silu(self.norm1(x))) + self.about(about)[:, :, None, None]
        return self.conv2(F.silu(self.norm2(h))) + self.around(x)


class Denoiser(nn.Module):
    def __init__(self, width=16, levels=2, frequencies=16):
        super().__init__()
        units, widths = 4 * width, [width << level for level in range(levels + 1)]
        self.rates = math.pi * 200 ** (torch.arange(frequencies) / (frequencies - 1))
        self.time, self.both = nn.Linear(2 * frequencies, units), nn.Linear(units, units)
        self.label = nn.Linear(CLASSES, units, bias=False)
        self.input = nn.Conv2d(1, width, 3, padding=1)
        self.down = nn.ModuleList(Block(w, w, units) for w in widths[:-1])
        self.smaller = nn.ModuleList(nn.Conv2d(w, 2 * w, 3, 2, 1) for w in widths[:-1])
        self.bottom = Block(widths[-1], widths[-1], units)
        self.larger = nn.ModuleList(nn.Conv2d(2 * w, w, 3, padding=1) for w in widths[:-1])
        self.up = nn.ModuleList(Block(2 * w, w, units) for w in widths[:-1])
        self.norm, self.output = nn.GroupNorm(8, width), nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, x, t, told):
        phase = t[:, None] * self.rates
        about = self.time(torch.cat([phase.sin(), phase.cos()], 1)) + self.label(told)
        about = F.silu(self.both(F.silu(about)))
        h, seen = self.input(x), []
        for block, smaller in zip(self.down, self.smaller):
            h = block(h, about)
            seen.append(h)
            h = smaller(h)
        h = self.bottom(h, about)
        for beside, larger, block in reversed(list(zip(seen, self.larger, self.up))):
            h = larger(F.interpolate(h, scale_factor=2))
            h = block(torch.cat([beside, h], 1), about)
        return self.output(F.silu(self.norm(h)))


def diffusion_step(layout):
    model = Denoiser().to(memory_format=layout)
    average = [p.detach().clone() for p in model.parameters()]
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    images = torch.randint(0, 256, (ROWS, 1, SIDE, SIDE), dtype=torch.uint8)
    labels = torch.arange(ROWS) % CLASSES

    def step():
        x = (images.float() / 255 * 2 - 1).contiguous(memory_format=layout)
        t = torch.rand(ROWS)
        angle = t[:, None, None, None] * (math.pi / 2)
        noise = torch.randn_like(x)
        told = F.one_hot(labels, CLASSES).float() * (torch.rand(ROWS, 1) >= 0.1)
        optimizer.zero_grad()
        guess = model(angle.cos() * x + angle.sin() * noise, t, told)
        F.mse_loss(guess, angle.cos() * noise - angle.sin() * x).backward()
        optimizer.step()
        with torch.no_grad():
            torch._foreach_mul_(average, 0.999)
            torch._foreach_add_(average, list(model.parameters()), alpha=0.001)

    return step


def times_of(layout):
    torch.manual_seed(1)
    step = {"gan": gan_step, "diffusion": diffusion_step}[WORKLOAD](layout)
    times = []
    for _ in range(STEPS + 4):
        begin = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin)
    return sorted(times[4:])


torch.set_num_threads(THREADS)
warm = min((times_of(layout) for layout in (torch.contiguous_format, torch.channels_last)), key=statistics.median)
print("%.2f ms a step (%.2f to %.2f)" % (1e3 * statistics.median(warm), 1e3 * warm[0], 1e3 * warm[-1]))

using Graft.Imaging;

namespace Graft.Export;

/// <summary>
/// Pictures for the comparison of two models where no photos are at hand: colors, edges and fine textures of several sizes and shapes, the
/// same every time. In a temporary folder until disposed of.
/// </summary>
internal sealed class GeneratedPhotos : IDisposable
{
    private static readonly (int Width, int Height)[] Sizes = [(480, 360), (333, 517), (640, 427), (101, 180), (500, 500), (900, 610), (257, 256), (720, 1280)];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("graft-export-");

    public GeneratedPhotos(int count)
    {
        Paths = [.. Enumerable.Range(0, count).Select(number =>
        {
            var path = Path.Combine(_folder.FullName, $"{number + 1}.jpg");
            WholeFile.Write(path, JpegEncoder.Encode(Picture(number), quality: 92));
            return path;
        })];
    }

    public IReadOnlyList<string> Paths { get; }

    public void Dispose() => _folder.Delete(recursive: true);

    private static RgbImage Picture(int number)
    {
        var (width, height) = Sizes[number % Sizes.Length];
        var random = new Random(number);
        var pixels = new byte[3 * width * height];
        Span<double> colors = stackalloc double[9];
        foreach (ref var color in colors) color = random.NextDouble();
        var (frequency, angle) = (0.02 + 0.3 * random.NextDouble(), Math.PI * random.NextDouble());
        for (int y = 0, at = 0; y < height; y++)
        {
            for (var x = 0; x < width; x++)
            {
                var (u, v) = (x / (double)width - 0.5, y / (double)height - 0.5);
                // A disk on a gradient, with waves and grain.
                var disk = u * u + v * v < 0.08 ? 1 : 0;
                var wave = 0.5 + 0.5 * Math.Sin(frequency * Math.PI * (x * Math.Cos(angle) + y * Math.Sin(angle)));
                var grain = random.NextDouble() - 0.5;
                for (var channel = 0; channel < 3; channel++)
                {
                    var color = disk * colors[channel] + (1 - disk) * (colors[3 + channel] * (u + 0.5) + colors[6 + channel] * (0.5 - v));
                    pixels[at++] = (byte)Math.Clamp(255 * (0.75 * color + 0.25 * wave * colors[(channel + number) % 9]) + 40 * grain, 0, 255);
                }
            }
        }
        return new(width, height, pixels);
    }
}

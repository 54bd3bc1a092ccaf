using Graft.Imaging;
using Graft.Testing;
using Graft.Tests.Imaging;
using SkiaSharp;

namespace Graft.Tests.Data;

/// <summary>A folder of small pictures that decode; one of another seed looks different.</summary>
internal sealed class Pictures : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public string FullName => _folder.File("photos");

    public string Outside(string name) => _folder.File(name);

    public string Put(string relative, int seed, int quality = 90, SKEncodedImageFormat format = SKEncodedImageFormat.Jpeg, double scale = 1) =>
        Put(relative, TestImages.Encode(Resampler.Resize(
            Draw(seed), (int)(160 * scale), (int)(120 * scale), Interpolation.Bilinear), format, quality));

    public string Put(string relative, byte[] content)
    {
        var path = _folder.File($"photos/{relative}");
        File.WriteAllBytes(path, content);
        return path;
    }

    /// <summary>Every file below the folder, with what is in it.</summary>
    public static SortedDictionary<string, string> Snapshot(string folder) => new(
        Directory.GetFiles(folder, "*", SearchOption.AllDirectories).ToDictionary(
            path => Path.GetRelativePath(folder, path), path => Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(path)))),
        StringComparer.Ordinal);

    public void Dispose() => _folder.Dispose();

    /// <summary>A dozen soft spots of random place, size and color, 160×120.</summary>
    public static RgbImage Draw(int seed)
    {
        var random = new Random(seed);
        var spots = Enumerable.Range(0, 12).Select(_ => (
            X: 160 * random.NextDouble(), Y: 120 * random.NextDouble(), Size: 8 + 30 * random.NextDouble(),
            Color: new[] { random.NextDouble(), random.NextDouble(), random.NextDouble() })).ToArray();
        var pixels = new byte[3 * 160 * 120];
        for (var i = 0; i < pixels.Length; i++)
        {
            var (x, y, value) = (i / 3 % 160, i / 3 / 160, 0.1);
            foreach (var spot in spots)
            {
                var distance = ((x - spot.X) * (x - spot.X) + (y - spot.Y) * (y - spot.Y)) / (spot.Size * spot.Size);
                if (distance < 1) value = 0.3 * value + 0.7 * spot.Color[i % 3];
            }
            pixels[i] = (byte)(255 * value);
        }
        return new(160, 120, pixels);
    }
}

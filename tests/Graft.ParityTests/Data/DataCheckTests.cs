using System.Security.Cryptography;
using Graft.Data;
using Graft.Imaging;
using Graft.Testing;

namespace Graft.ParityTests.Data;

/// <summary>The data check on real photos, and on real photos that were tampered with.</summary>
public sealed class DataCheckTests : IDisposable
{
    private static readonly LabeledImagesOptions AsItIs = new() { ValidationShare = 0 };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [SharedFact("data/flowers5")]
    public void Leaked_duplicates_of_the_flowers_are_found()
    {
        var report = DataCheck.Run(
            LabeledImages.Load(SharedFolder.Path("data/flowers5"), AsItIs), cancellation: TestContext.Current.CancellationToken);

        var leaks = report.Duplicates.Where(group => group.IsLeak).ToList();
        Assert.Equal(
            [
                ["val/sunflowers/15066430311_fb57fa92b0_m.jpg", "train/sunflowers/14889392928_9742aed45b_m.jpg"],
                ["val/sunflowers/15072973261_73e2912ef2_n.jpg", "train/sunflowers/15069459615_7e0fd61914_n.jpg"],
            ],
            leaks.Select(group => group.Images.Select(image => image.File)));
        Assert.All(leaks, group => Assert.True(group.IsExact));
        Assert.Equal((3119, 0), (report.Images.Count, report.Unreadable.Count));
        // Shot in a row or taken from one another, as looking at them says; all within a class.
        Assert.InRange(report.Duplicates.Count, 2, 12);
        Assert.DoesNotContain(report.Duplicates, group => group.IsContradiction);
    }

    [SharedTheory("data/trashnet")]
    [InlineData(1)]
    [InlineData(2)]
    public void Whatever_was_planted_among_the_trash_is_found_and_no_file_is_lost(int seed)
    {
        var random = new Random(seed);
        var source = SharedFolder.Path("data/trashnet");
        var data = _folder.File("trash");
        foreach (var file in Directory.GetFiles(source, "*.jpg", SearchOption.AllDirectories))
            File.Copy(file, _folder.File(Path.Combine("trash", Path.GetRelativePath(source, file))));
        var clean = DataCheck.Run(LabeledImages.Load(data, AsItIs), cancellation: TestContext.Current.CancellationToken);
        var originals = clean.Images.OrderBy(_ => random.Next()).Take(100).ToList();
        var classes = clean.Classes;

        var planted = new List<(string Original, string Copy)>();
        for (var i = 0; i < originals.Count; i++)
        {
            var image = originals[i];
            // Into any class, and into training as well as the test.
            var part = random.Next(2) == 0 ? "train" : "test";
            var copy = $"{part}/{classes[random.Next(classes.Count)]}/planted{i}.jpg";
            var path = _folder.File($"trash/{copy}");
            var pixels = ImageDecoder.Decode(image.Path);
            var scale = 0.3 + 1.4 * random.NextDouble();
            switch (i % 3)
            {
                case 0:
                    File.Copy(image.Path, path);
                    break;
                case 1:
                    File.WriteAllBytes(path, JpegEncoder.Encode(pixels, quality: random.Next(30, 96)));
                    break;
                default:
                    File.WriteAllBytes(path, JpegEncoder.Encode(Resampler.Resize(
                        pixels, (int)(pixels.Width * scale), (int)(pixels.Height * scale), Interpolation.Bilinear)));
                    break;
            }
            planted.Add((image.File, copy));
        }
        var broken = new List<string>();
        foreach (var image in clean.Images.Except(originals).OrderBy(_ => random.Next()).Take(30))
        {
            var bytes = File.ReadAllBytes(image.Path);
            File.WriteAllBytes(image.Path, (broken.Count % 3) switch
            {
                0 => bytes[..random.Next(20, bytes.Length / 2)],
                1 => [],
                _ => [.. "<html>404</html>"u8],
            });
            broken.Add(image.File);
        }
        var before = Snapshot(data);

        var report = DataCheck.Run(LabeledImages.Load(data, AsItIs), cancellation: TestContext.Current.CancellationToken);

        Assert.All(planted, pair => Assert.Contains(report.Duplicates, group =>
            group.Images.Any(image => image.File == pair.Original) && group.Images.Any(image => image.File == pair.Copy)));
        Assert.Equal(
            broken.Order(StringComparer.Ordinal),
            report.Unreadable.Select(file => DataCheck.RelativePath(data, file.Path)).Order(StringComparer.Ordinal));
        // What is not planted was there before.
        Assert.InRange(report.Duplicates.Count(group => !group.Images.Any(image => image.File.Contains("planted", StringComparison.Ordinal))), 0, clean.Duplicates.Count);

        var aside = _folder.File("aside/x")[..^2];
        Directory.Delete(aside);
        var (moved, _) = Quarantine.Move(data, Quarantine.SuspectsOf(report), aside, TestContext.Current.CancellationToken);
        var after = DataCheck.Run(LabeledImages.Load(data, AsItIs), cancellation: TestContext.Current.CancellationToken);
        Assert.Empty(after.Duplicates);
        Assert.Empty(after.Unreadable);
        Assert.Equal(before.Count, Snapshot(data).Count + moved);

        Assert.Equal((moved, 0), (Quarantine.Undo(data, aside, TestContext.Current.CancellationToken) is var (restored, left) ? (restored, left.Count) : default));
        Assert.Equal(before, Snapshot(data));
    }

    [SharedFact("data/flowers5")]
    public void Flowers_divided_anew_leak_nothing()
    {
        var photos = LabeledImages.Load(SharedFolder.Path("data/flowers5"), AsItIs);
        var target = _folder.File("split.csv");

        var split = DataSplit.Of(photos, cancellation: TestContext.Current.CancellationToken);
        SplitWriter.Write(split, target, SplitMode.Csv, cancellation: TestContext.Current.CancellationToken);

        Assert.Equal([1872, 625, 622], split.Parts.Select(part => split.CountsOf(part).Sum()).ToList());
        var report = DataCheck.Run(LabeledImages.Load(target), cancellation: TestContext.Current.CancellationToken);
        Assert.DoesNotContain(report.Duplicates, group => group.IsLeak);
        Assert.True(report.Duplicates.Count >= 2);
    }

    private static SortedDictionary<string, string> Snapshot(string folder) => new(
        Directory.GetFiles(folder, "*", SearchOption.AllDirectories).ToDictionary(
            path => Path.GetRelativePath(folder, path), path => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path)))),
        StringComparer.Ordinal);
}

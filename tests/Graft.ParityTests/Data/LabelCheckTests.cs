using System.Security.Cryptography;
using Graft.Backbones;
using Graft.Classifiers;
using Graft.Data;
using Graft.Features;
using Graft.Imaging;
using Graft.Testing;

namespace Graft.ParityTests.Data;

/// <summary>The data check with a backbone, on real photos whose labels were tampered with.</summary>
public sealed class LabelCheckTests : IDisposable
{
    private const string Weights = "weights/torchvision/mobilenet_v2_features.safetensors";

    private static readonly LabeledImagesOptions AsItIs = new() { ValidationShare = 0 };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>
    /// With MobileNetV2, whose classifiers give three quarters of these photos their label. The network that is part of Graft (59 %) is too
    /// weak for that: it finds half of the swapped labels.
    /// </summary>
    [SharedFact(Weights)]
    public void Swapped_labels_planted_duplicates_and_broken_files_are_found_and_no_file_is_lost()
    {
        using var backbone = Backbone.Load("mobilenet_v2", SharedFolder.Path(Weights));
        using var features = new FeatureBlocks(backbone.Features());
        using var cache = FeatureCache.Open(_folder.File("cache/x")[..^2]);
        var data = Tamper(out var swapped, out var planted, out var broken);
        var before = Snapshot(data);

        var report = FeatureCheck.Run(
            DataCheck.Run(LabeledImages.Load(data, AsItIs), cancellation: TestContext.Current.CancellationToken), features, cache,
            cancellation: TestContext.Current.CancellationToken);

        Assert.All(planted, pair => Assert.Contains(report.Duplicates, group =>
            group.Images.Any(image => image.File == pair.Original) && group.Images.Any(image => image.File == pair.Copy)));
        Assert.Equal(
            broken.Order(StringComparer.Ordinal),
            report.Unreadable.Select(file => DataCheck.RelativePath(data, file.Path)).Order(StringComparer.Ordinal));

        Assert.DoesNotContain(Quarantine.SuspectsOf(report), suspect => suspect.Kind == SuspectKind.WrongLabel);
        var aside = _folder.File("aside/x")[..^2];
        Directory.Delete(aside);
        var suspects = Quarantine.SuspectsOf(report, new HashSet<SuspectKind>(Enum.GetValues<SuspectKind>()));
        var (moved, _) = Quarantine.Move(data, suspects, aside, TestContext.Current.CancellationToken);
        Assert.All(report.Labels!.Suspects, suspect => Assert.False(File.Exists(suspect.Image.Path)));
        Assert.Equal(before.Count, Snapshot(data).Count + moved);
        Assert.Equal((moved, 0), (Quarantine.Undo(data, aside, TestContext.Current.CancellationToken) is var (restored, left) ? (restored, left.Count) : default));
        Assert.Equal(before, Snapshot(data));

        // Two more draws, for which the photos need not be read again: another label is all that is new.
        var found = Found(report, [.. swapped.Select(pair => pair.File)]);
        var total = swapped.Count;
        for (var seed = 2; seed <= 3; seed++)
        {
            var random = new Random(seed);
            var truth = swapped.ToDictionary(pair => pair.File, pair => pair.Class);
            var drawn = report.Images.OrderBy(_ => random.Next()).Take(swapped.Count).Select(image => image.File).ToHashSet();
            var redrawn = report with
            {
                Images = [.. report.Images.Select(image => truth.GetValueOrDefault(image.File, image.Class) is var own && drawn.Contains(image.File)
                    ? image with { Class = report.Classes.Where(name => name != own).ElementAt(random.Next(report.Classes.Count - 1)) }
                    : image with { Class = own })],
            };
            found += Found(FeatureCheck.Run(redrawn, features, cache, cancellation: TestContext.Current.CancellationToken), drawn);
            total += drawn.Count;
        }
        Assert.True(found >= 0.8 * total, $"{found} of {total} swapped labels are in the top tenth");

        static int Found(DataCheckReport report, HashSet<string> swapped)
        {
            var top = report.Labels!.Suspects.Take(report.Images.Count / 10).Select(suspect => suspect.Image.File).ToList();
            TestContext.Current.TestOutputHelper!.WriteLine(
                $"{top.Count(swapped.Contains)} of {swapped.Count} swapped labels among {top.Count} suspects of {report.Labels.Suspects.Count}, accuracy {report.Labels.Accuracy:P1}");
            return top.Count(swapped.Contains);
        }
    }

    [SharedFact(Weights)]
    public void Crops_of_a_photo_are_duplicates_and_different_photos_of_one_thing_are_none()
    {
        // The embedded network, which sees little of small differences, is the one that would take most things for the same.
        using var backbone = Backbone.Load(EmbeddedBackbone.Name);
        using var features = new FeatureBlocks(backbone.Features());
        var data = Copy("trash");
        var clean = DataCheck.Run(LabeledImages.Load(data, AsItIs), cancellation: TestContext.Current.CancellationToken);
        using var cache = FeatureCache.Open(_folder.File("cache/x")[..^2]);
        var checkedClean = FeatureCheck.Run(clean, features, cache, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(Groups(clean), Groups(checkedClean));

        // Photos of which nothing is expected are looked at above; here those with crops do.
        var few = _folder.File("few/x")[..^2];
        var originals = clean.Images.Where((_, number) => number % 20 == 0)
            .Select(image => image with { Path = _folder.File(Path.Combine("few", image.File)) }).ToList();
        foreach (var image in originals)
        {
            File.Copy(Path.Combine(data, image.File), image.Path);
            File.WriteAllBytes(CopyOf(image), JpegEncoder.Encode(Cropped(ImageDecoder.Decode(image.Path), 0.03), quality: 85));
        }
        var plain = DataCheck.Run(LabeledImages.Load(few, AsItIs), cancellation: TestContext.Current.CancellationToken);
        var report = FeatureCheck.Run(plain, features, cache, cancellation: TestContext.Current.CancellationToken);
        var (before, after) = (originals.Count(image => Finds(plain, image)), originals.Count(image => Finds(report, image)));
        TestContext.Current.TestOutputHelper!.WriteLine($"{after} of {originals.Count} crops found with features, {before} without");
        Assert.True(after >= 0.75 * originals.Count && before < 0.6 * originals.Count, $"{after} of {originals.Count} crops found with features, {before} without");

        static string CopyOf(CheckedImage image) => Path.ChangeExtension(image.Path, ".crop.jpg");
        static bool Finds(DataCheckReport report, CheckedImage image) => report.Duplicates.Any(group =>
            group.Images.Any(one => one.Path == image.Path) && group.Images.Any(one => one.Path == CopyOf(image)));
        static List<string> Groups(DataCheckReport report) => [.. report.Duplicates.Select(group => string.Join(' ', group.Images.Select(image => image.File)))];
    }

    /// <summary>A copy of the trash in which 5 % of the photos lie in another class's folder.</summary>
    private string Tamper(
        out List<(string File, string Class)> swapped, out List<(string Original, string Copy)> planted, out List<string> broken)
    {
        var random = new Random(1);
        var data = Copy("tampered");
        var photos = LabeledImages.Load(data, AsItIs);
        var files = photos.All.Select(image => (image.Path, Class: photos.Classes[image.Class])).OrderBy(_ => random.Next()).ToList();
        swapped = [];
        foreach (var (path, given) in files.Take(files.Count / 20))
        {
            var wrong = photos.Classes.Where(name => name != given).ElementAt(random.Next(photos.Classes.Count - 1));
            var to = Path.Combine(Path.GetDirectoryName(Path.GetDirectoryName(path)!)!, wrong, Path.GetFileName(path));
            File.Move(path, to);
            swapped.Add((DataCheck.RelativePath(data, to), given));
        }
        planted = [];
        foreach (var (path, given) in files.Skip(files.Count / 20).Take(45))
        {
            var part = random.Next(2) == 0 ? "train" : "test";
            var copy = $"{part}/{given}/planted{planted.Count}.jpg";
            var to = Path.Combine(data, copy);
            var pixels = ImageDecoder.Decode(path);
            switch (planted.Count % 3)
            {
                case 0:
                    File.Copy(path, to);
                    break;
                case 1:
                    File.WriteAllBytes(to, JpegEncoder.Encode(pixels, quality: 70));
                    break;
                default:
                    File.WriteAllBytes(to, JpegEncoder.Encode(Resampler.Resize(pixels, pixels.Width / 2, pixels.Height / 2, Interpolation.Bilinear)));
                    break;
            }
            planted.Add((DataCheck.RelativePath(data, path), copy));
        }
        broken = [];
        foreach (var (path, _) in files.Skip(files.Count / 20 + 45).Take(15))
        {
            var bytes = File.ReadAllBytes(path);
            File.WriteAllBytes(path, (broken.Count % 3) switch
            {
                0 => bytes[..random.Next(20, bytes.Length / 2)],
                1 => [],
                _ => [.. "<html>404</html>"u8],
            });
            broken.Add(DataCheck.RelativePath(data, path));
        }
        return data;
    }

    private string Copy(string name)
    {
        var source = SharedFolder.Path("data/trashnet");
        foreach (var file in Directory.GetFiles(source, "*.jpg", SearchOption.AllDirectories))
            File.Copy(file, _folder.File(Path.Combine(name, Path.GetRelativePath(source, file))));
        return _folder.File(Path.Combine(name, "x"))[..^2];
    }

    /// <summary>Without a share of each side.</summary>
    private static RgbImage Cropped(RgbImage image, double share)
    {
        var (left, top) = ((int)(share * image.Width), (int)(share * image.Height));
        var (width, height) = (image.Width - 2 * left, image.Height - 2 * top);
        var pixels = new byte[3 * width * height];
        for (var y = 0; y < height; y++)
            image.Pixels.AsSpan(3 * ((top + y) * image.Width + left), 3 * width).CopyTo(pixels.AsSpan(3 * y * width));
        return new(width, height, pixels);
    }

    private static SortedDictionary<string, string> Snapshot(string folder) => new(
        Directory.GetFiles(folder, "*", SearchOption.AllDirectories).ToDictionary(
            path => Path.GetRelativePath(folder, path), path => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path)))),
        StringComparer.Ordinal);
}

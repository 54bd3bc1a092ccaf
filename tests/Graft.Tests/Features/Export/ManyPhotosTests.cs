using System.Formats.Tar;
using System.Globalization;
using Graft.Data;
using Graft.Features;
using Graft.Features.Export;
using Graft.Imaging;
using Graft.Networks;
using Graft.Testing;
using Graft.Tests.Imaging;
using SkiaSharp;

namespace Graft.Tests.Features.Export;

/// <summary>Tar shards of very many photos, each with content of its own, and a network that costs next to nothing.</summary>
[Collection(nameof(AloneWithTorch))]
public class ManyPhotosTests
{
    private const int PhotosAShard = 10_000, Length = 512;

    /// <summary>With GRAFT_TEST_PHOTOS=2000000, which takes an hour, that many.</summary>
    private static readonly int Count = int.TryParse(Environment.GetEnvironmentVariable("GRAFT_TEST_PHOTOS"), CultureInfo.InvariantCulture, out var count) ? count : 20_000;

    [Fact]
    public void Memory_does_not_grow_with_the_features()
    {
        using var folder = new TemporaryFolder();
        var picture = TestImages.Encode(TestImages.Noise(8, 8, seed: 1), SKEncodedImageFormat.Png);
        Directory.CreateDirectory(folder.File("shards"));
        for (var first = 0; first < Count; first += PhotosAShard)
        {
            using var writer = new TarWriter(File.Create(folder.File($"shards/{first / PhotosAShard:D5}.tar")), TarEntryFormat.Ustar);
            for (var photo = first; photo < Math.Min(Count, first + PhotosAShard); photo++)
            {
                // What follows a picture's end makes it another photo.
                writer.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, $"{photo:D7}.png") { DataStream = new MemoryStream([.. picture, .. BitConverter.GetBytes(photo)]) });
                writer.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, $"{photo:D7}.cls") { DataStream = new MemoryStream([(byte)('0' + photo % 2)]) });
            }
        }
        var photos = LabeledImages.Load(folder.File("shards"), new() { ValidationShare = 0 });
        Assert.Equal(Count, photos.Train.Count);
        using var features = new FeatureBlocks(Wide());
        WarmUp(folder.File("warm.parquet"));
        var listed = GC.GetTotalMemory(forceFullCollection: true);
        var memory = new Memory();

        var images = Enumerable.Range(1, 2).Sum(number => FeaturePart.Write(
            photos, features, new(number, 2), folder.File($"{number}.parquet"), cache: null, progress: memory, cancellation: TestContext.Current.CancellationToken).Images);
        var merged = FeatureMerge.Write([folder.File("1.parquet"), folder.File("2.parquet")], folder.File("all.parquet"), cancellation: TestContext.Current.CancellationToken);

        Assert.Equal((Count, Count), (images, merged.Images));
        TestContext.Current.SendDiagnosticMessage($"{Count:N0} photos: {listed / 1e6:0} MB for their names, {(memory.Values.Max() - listed) / 1e6:0} MB more at most, {Count * Length * 4L / 1e6:0} MB of features");
        // Of the first shard, whose features alone are 20 MB, kept or not. From one report to the next features would add 2 MB and a row group 4; arrays that pools keep for writing come at 8 MB and more, to each thread once.
        var ofShard = memory.Values.Take(memory.Values.Count / 2).ToList();
        var added = ofShard.Zip(ofShard.Skip(1), (before, after) => after - before).Where(step => step is > 0 and < 6_000_000).Sum();
        Assert.InRange(added, 0, 8_000_000);
    }

    [Fact]
    public void Writing_a_table_holds_a_group_of_rows()
    {
        const int count = 40_000;
        using var folder = new TemporaryFolder();
        using var file = File.Create(folder.File("table.parquet"));
        var (before, most) = (GC.GetTotalMemory(forceFullCollection: true), 0L);

        ParquetTable.Write(file, [Length], ["a"], hasHashes: false, Rows(), () => new Dictionary<string, string>());

        // All features are 82 MB, those of a group 4 MB.
        Assert.InRange(most - before, 0, 30_000_000);

        IEnumerable<FeatureRow> Rows()
        {
            for (var row = 0; row < count; row++)
            {
                if (row % 2000 == 0) most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: true));
                yield return new($"{row:D5}.jpg", 0, FeatureTable.Train, null, [.. Enumerable.Range(row, Length).Select(value => (float)value)]);
            }
        }
    }

    /// <summary>Arrays that writing takes from the shared pool stay there: they are no growth.</summary>
    private static void WarmUp(string path)
    {
        using var file = File.Create(path);
        ParquetTable.Write(
            file, [Length], ["a"], hasHashes: true, Enumerable.Range(0, 3 * 2048).Select(row => new FeatureRow($"{row}", 0, FeatureTable.Train, "", [.. Enumerable.Range(row, Length).Select(value => (float)value)])),
            () => new Dictionary<string, string>());
    }

    private static Graft.Backbones.Backbone Wide()
    {
        var builder = new NetworkBuilder("wide");
        var network = builder.Build(builder.Input("image", 3, 8).Convolution("conv", Length, kernel: 8, stride: 8).Relu("relu").GlobalPool("features"));
        return Graft.Backbones.Backbone.Of("wide", network, new RandomWeights(1), Preprocessing.UnitRange(8));
    }

    private sealed class Memory : IProgress<StepProgress>
    {
        public List<long> Values { get; } = [];

        public void Report(StepProgress value) => Values.Add(GC.GetTotalMemory(forceFullCollection: true));
    }
}

using Graft.Backbones;
using Graft.Data;
using Graft.Features;
using Graft.Imaging;
using Graft.Networks;
using Graft.Ranks;
using Graft.Selection;
using Graft.Testing;
using Graft.Training;
using static TorchSharp.torch;

namespace Graft.Tests.Ranks;

/// <summary>What is divided over ranks comes together as one process has it.</summary>
[Collection(nameof(AloneWithTorch))]
public sealed class RankedWorkTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Eleven pictures of noise in two classes; the fifth is none.</summary>
    private LabeledImage[] Photos()
    {
        return [.. Enumerable.Range(0, 11).Select(number =>
        {
            var file = _folder.File($"{number}.png");
            var pixels = new byte[3 * 64];
            new Random(number).NextBytes(pixels);
            if (number == 4) File.WriteAllText(file, "no picture");
            else File.WriteAllBytes(file, ContactSheet.ToPng(new(8, 8, pixels)));
            return new LabeledImage(file, number % 2);
        })];
    }

    private static Backbone Small()
    {
        var builder = new NetworkBuilder("small");
        var map = builder.Input("image", 3, 8).Convolution("conv", 6, 3).Relu("relu");
        return Backbone.Of("small", builder.Build(map.GlobalPool("pool")), new RandomWeights(3), Preprocessing.UnitRange(8));
    }

    [Theory]
    [InlineData(2, 0)]
    [InlineData(3, 2)]
    [InlineData(16, 1)]
    public void Features_of_ranks_are_those_of_one_process_bit_for_bit(int size, int views)
    {
        var photos = Photos();
        var bank = views == 0 ? null : new ViewBank(Augmentation.Light, views, 1);
        FeatureSet Extract(ICollective? ranks)
        {
            using var backbone = Small();
            using var extractor = new FeatureExtractor(backbone, cache: null);
            return RankedExtraction.Extract(photos, ranks, share => extractor.Extract(share, bank, progress: null, TestContext.Current.CancellationToken), ranks is not { Rank: 1 });
        }

        var one = Extract(null);
        var sets = ThreadRanks.Run(size, Extract);

        Assert.Single(one.Broken);
        foreach (var set in sets.Where((_, rank) => rank != 1))
        {
            Assert.Equal(one.Images, set.Images);
            Assert.Equal(one.Rows, set.Rows);
            Assert.Equal(one.Views, set.Views);
            Assert.Equal(one.Broken, set.Broken);
            Assert.Equal((one.CacheHits, one.CacheMisses), (set.CacheHits, set.CacheMisses));
        }
        Assert.True(sets[1].Rows.Count < one.Rows.Count);
    }

    [Fact]
    public void Opened_photos_of_ranks_are_those_of_one_process()
    {
        var photos = Photos();
        float[][] Views(ICollective? ranks)
        {
            var opened = OpenedPhotos.Open(photos, Preprocessing.UnitRange(8), keptBytes: 7 * 3 * 64, ranks, progress: null, TestContext.Current.CancellationToken);
            Assert.Equal(photos[4].Path, Assert.Single(opened.Broken).Path);
            var examples = new PhotoExamples(opened, [.. Enumerable.Range(0, opened.Images.Count)], Augmentation.Medium, seed: 5);
            return [.. Enumerable.Range(0, 2 * examples.Count).Select(view =>
            {
                var input = new float[3 * 64];
                examples.Read(view % examples.Count, epoch: 1 + view / examples.Count, input);
                return input;
            })];
        }

        var one = Views(null);

        Assert.All(ThreadRanks.Run(3, Views), views => Assert.Equal(one, views));
    }

    /// <summary>With libtorch's own draws, in rows and in maps whose channels are last in memory.</summary>
    [Theory]
    [InlineData(new long[] { 10, 40 })]
    [InlineData(new long[] { 10, 8, 5, 3 })]
    public void Dropout_of_parts_is_that_of_the_whole_batch(long[] sizes)
    {
        using var scope = NewDisposeScope();
        var input = rand(sizes).add_(Scalars.Number(1));
        if (sizes.Length == 4) input = input.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2);
        random.manual_seed(7);
        var whole = nn.functional.dropout(input, 0.3, training: true);
        var after = random.get_rng_state();
        foreach (var positions in (long[][])[[0, 1, 2, 7, 8, 9], [3, 4, 5, 6]])
        {
            random.manual_seed(7);
            var part = new BatchShare(new Alone(), 10, positions, Counts: true).Dropout(input.index_select(0, tensor(positions)), 0.3);

            Assert.True(part.eq(whole.index_select(0, tensor(positions))).all().IsTrue());
            Assert.True(after.eq(random.get_rng_state()).all().IsTrue());
        }
    }

    [Theory]
    [InlineData(16, 2)]
    [InlineData(17, 4)]
    [InlineData(3, 5)]
    [InlineData(2, 3)]
    public void Parts_of_a_batch_hold_each_example_once_and_its_partner(int total, int size)
    {
        using var network = new TorchNetwork(Small().Network, new RandomWeights(1));
        var shares = Enumerable.Range(0, size).Select(rank => new DataParallel(new Alone { Rank = rank, Size = size }, network).ShareOf(total)).ToList();

        Assert.Equal(Enumerable.Range(0, total).Select(place => (long)place), shares.Where(share => share.Counts).SelectMany(share => share.Positions).Order());
        Assert.All(shares.Where(share => share.Counts), share => Assert.Equal(share.Positions, share.Positions.Reverse().Select(place => total - 1 - place)));
        Assert.All(shares.Where(share => !share.Counts), share => Assert.Equal([0], share.Positions));
    }

    [Fact]
    public void Ranks_that_differ_are_named_on_every_rank()
    {
        var problems = ThreadRanks.Run(3, ranks => Assert.Throws<GraftException>(() => RankAgreement.Check(ranks, new Dictionary<string, string>
        {
            ["another build of Graft"] = ranks.Rank == 2 ? "2.0" : "1.0",
            ["other photos"] = "90",
        })).Message);

        Assert.Single(problems.Distinct());
        Assert.Contains("rank 2 of 3 on thread2 has another build of Graft than rank 0 of 3 on thread0: 2.0, not 1.0.", problems[0], StringComparison.Ordinal);
        Assert.DoesNotContain("photos than", problems[0], StringComparison.Ordinal);
    }

    [Fact]
    public void The_costliest_networks_are_tried_by_different_ranks()
    {
        string[] backbones = ["mobilenet_v2", "vgg16.torchvision", "resnet50.torchvision", "tiny", "resnet18.cntk"];

        var ranks = RankedTrials.Divide(backbones, new HashSet<string> { "tiny" }, size: 2);

        Assert.Equal([1, 0, 1, -1, 1], ranks);
    }

    private sealed class Alone : ICollective
    {
        public int Rank { get; init; }

        public int Size { get; init; } = 1;

        public string Name => "";

        public void AllReduce(Tensor values)
        {
        }

        public void AllReduce(Span<double> values)
        {
        }

        public void Broadcast(Span<byte> values)
        {
        }

        public byte[][] AllGather(ReadOnlySpan<byte> own) => [own.ToArray()];

        public void Barrier()
        {
        }

        public void Abort(int exitCode)
        {
        }

        public void Dispose()
        {
        }
    }
}

using Graft.Classifiers;
using Graft.Transfer;

namespace Graft.Tests.Transfer;

public class TransferMethodTests
{
    public static TheoryData<string> Methods => [.. TransferCatalog.Names];

    /// <summary>The target is the source moved and stretched a little; three labeled photos of each class where labels are needed.</summary>
    [Theory]
    [MemberData(nameof(Methods))]
    public void Every_method_learns_a_moved_target(string name)
    {
        var method = TransferCatalog.Find(name);
        var (target, truth) = Photos(seed: 2, each: 30, shift: 0.6f);
        var data = Data(method.NeedsLabels ? 3 : 0);

        var fit = method.Fit(data, method.DefaultClassifier, cancellation: TestContext.Current.CancellationToken);

        Assert.InRange(AutomaticTransfer.Accuracy(fit.Classifier, target, truth, 3), 0.9, 1);
        Assert.Equal(name == "auto", fit.Classifier.Facts.ContainsKey("method_candidates"));
    }

    [Fact]
    public void Methods_that_go_by_labels_say_so_without_any()
    {
        foreach (var method in TransferCatalog.Methods.Where(method => method.NeedsLabels))
        {
            var problem = Assert.Throws<GraftException>(() => method.Fit(Data(0), method.DefaultClassifier, cancellation: TestContext.Current.CancellationToken));
            Assert.Equal("transfer-needs-labels", problem.Code);
        }
    }

    [Fact]
    public void Photos_count_as_their_weights_say()
    {
        var (rows, labels) = Photos(seed: 1, each: 6, shift: 0);
        double[] weights = [.. rows.Select((_, row) => row < 5 ? 2.0 : 1)];
        var learner = new LinearSvm { Standardize = false, Calibrate = false };

        var weighted = Fit(rows, labels, weights);
        var repeated = Fit([.. rows, .. rows[..5]], [.. labels, .. labels[..5]], null);

        Assert.All(weighted.Zip(repeated), pair => Assert.Equal(pair.First, pair.Second, 1e-3f));

        float[] Fit(float[][] all, int[] ofAll, double[]? counting)
        {
            using var inference = TorchSharp.torch.no_grad();
            using var scope = TorchSharp.torch.NewDisposeScope();
            var features = FeatureMatrix.Of(all, ofAll, 3) with { Weights = counting };
            return learner.Fit(features, new(1, null, TestContext.Current.CancellationToken)).Layers[0].Values[Graft.Networks.ParameterRole.DenseKernel];
        }
    }

    [Fact]
    public void Map_between_feature_spaces_is_found_from_pairs()
    {
        var random = new Random(1);
        float[][] old = [.. Enumerable.Range(0, 60).Select(_ => Enumerable.Range(0, 8).Select(_ => random.NextSingle()).ToArray())];
        float[] Mapped(float[] row) => [2 * row[0] - row[3] + 1, row[1] + row[7], 3];

        var map = RidgeMap.Fit(old[..40], [.. old[..40].Select(Mapped)]);

        Assert.InRange(map.LeaveOneOutError, 0, 1e-4);
        Assert.All(old[40..].Zip(map.Apply(old[40..])), pair => Assert.All(Mapped(pair.First).Zip(pair.Second), value => Assert.Equal(value.First, value.Second, 1e-2f)));
    }

    [Fact]
    public void Sources_that_are_one_are_close_and_others_are_not()
    {
        var (first, _) = Photos(seed: 1, each: 30, shift: 0);
        var (same, _) = Photos(seed: 2, each: 30, shift: 0);
        var (moved, _) = Photos(seed: 3, each: 30, shift: 8);

        Assert.InRange(DomainComparison.Of(first, same, cancellation: TestContext.Current.CancellationToken).ProxyADistance, 0, 0.6);
        Assert.Equal(2, DomainComparison.Of(first, moved, cancellation: TestContext.Current.CancellationToken).ProxyADistance, 0.05);
    }

    private static TransferData Data(int labeled)
    {
        var (source, labels) = Photos(seed: 1, each: 40, shift: 0);
        var (target, truth) = Photos(seed: 3, each: 40, shift: 0.6f);
        int[] known = [.. Enumerable.Range(0, target.Length).GroupBy(row => truth[row]).SelectMany(rows => rows.Take(labeled))];
        return new()
        {
            Source = source,
            SourceLabels = labels,
            Classes = 3,
            Target = [.. known.Select(row => target[row])],
            TargetLabels = [.. known.Select(row => truth[row])],
            Unlabeled = [.. Enumerable.Range(0, target.Length).Except(known).Select(row => target[row])],
        };
    }

    private static (float[][] Rows, int[] Labels) Photos(int seed, int each, float shift)
    {
        var random = new Random(seed);
        int[] labels = [.. Enumerable.Range(0, 3 * each).Select(row => row % 3)];
        return ([.. labels.Select(label => Enumerable.Range(0, 6).Select(axis => (axis % 3 == label ? 5f : 0) + 1 + 2 * random.NextSingle() + (axis == 0 ? shift : 0)).ToArray())], labels);
    }
}

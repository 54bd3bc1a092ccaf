using Graft.Testing;
using Graft.Transfer;
using static TorchSharp.torch;

namespace Graft.ParityTests.Transfer;

/// <summary>
/// Published tables on Office-Caltech10 with SURF features and on mushrooms, a part of them; <c>bench transfer</c> computes all. Photos classified
/// correctly are counted, so that a cell is equal or it is not.
/// </summary>
public sealed class PublishedTableTests : IDisposable
{
    private const string Data = "reference/transfer/data";

    private readonly TorchSharp.DisposeScope _scope;

    public PublishedTableTests()
    {
        Graft.Networks.LibtorchLoader.Require();
        _scope = NewDisposeScope();
    }

    public void Dispose() => _scope.Dispose();

    /// <summary>Long et al. 2013, table 4: columns NN, PCA, TCA, JDA.</summary>
    [SharedTheory(Data)]
    [InlineData("webcam", "dslr", 59.24, 77.07, 87.26, 89.17)]
    [InlineData("dslr", "webcam", 63.39, 75.93, 86.10, 89.49)]
    public void Table_of_joint_distribution_adaptation_is_reproduced(string source, string target, double nearest, double axes, double components, double joint)
    {
        var (xs, ys) = OfficeSurf.Domain(source);
        var (xt, yt) = OfficeSurf.Domain(target);

        Assert.Equal(nearest, Accuracy(OfficeSurf.Nearest(xs, ys, xt), yt), 0.006);
        Assert.Equal(axes, Accuracy(OfficeSurf.NearestOnAxes(xs, ys, xt), yt), 0.006);
        Assert.Equal(components, Accuracy(OfficeSurf.Components.Solve(xs, xt, ys, [], 10).Labels[^1], yt), 0.006);
        Assert.Equal(joint, Accuracy(OfficeSurf.Joint.Solve(xs, xt, ys, [], 10).Labels[^1], yt), 0.006);
    }

    /// <summary>Sun et al. 2016, table 1, webcam → amazon: 37.8 %; the ten draws spread with a standard deviation of 1.</summary>
    [SharedFact(Data)]
    public void A_cell_of_the_table_of_coral_is_reproduced()
    {
        var (source, target) = (OfficeSurf.Domain("webcam"), OfficeSurf.Domain("amazon"));

        var draws = Enumerable.Range(1, 3).Select(draw => OfficeSurf.AfterCoral(source, target, draw, TestContext.Current.CancellationToken)).ToList();

        Assert.InRange(100 * draws.Average(draw => draw.Aligned), 37.8 - 1.2, 37.8 + 1.2);
        Assert.True(draws.All(draw => draw.Aligned > draw.AsTheyAre));
    }

    /// <summary>
    /// Error rates of adapt's notebook on the mushrooms with a tapering stalk as source and 46 labeled others: linear SVM of the source, of both, with AUX's
    /// weights. TrAdaBoost's is of 100 rounds; bench transfer has it.
    /// </summary>
    [SharedTheory(Data)]
    [InlineData(0)]
    [InlineData(2)]
    public void Mushrooms_are_told_as_in_adapt_s_notebook(int split)
    {
        var (data, others, truth) = Mushrooms.Split(split);
        var published = Mushrooms.Published(split);
        var cancellation = TestContext.Current.CancellationToken;
        var svm = Mushrooms.Learner;

        Assert.Equal(published[0], Error(new Pooling().Fit(data with { Target = [], TargetLabels = [] }, svm, cancellation: cancellation)), 0.002);
        Assert.Equal(published[1], Error(new Pooling().Fit(data, svm, cancellation: cancellation)), 0.002);
        Assert.Equal(published[2], Error(new BalancedWeighting { Share = 4 }.Fit(data, svm, cancellation: cancellation)), 0.002);

        double Error(TransferFit fit) => 1 - AutomaticTransfer.Accuracy(fit.Classifier, others, truth, 2);
    }

    private static double Accuracy(int[] predicted, int[] truth) => 100 * predicted.Zip(truth).Average(pair => pair.First == pair.Second ? 1.0 : 0);
}

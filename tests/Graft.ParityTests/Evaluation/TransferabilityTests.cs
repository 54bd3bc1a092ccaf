using Graft.Classifiers;
using Graft.Evaluation.Transferability;
using Graft.Testing;

namespace Graft.ParityTests.Evaluation;

/// <summary>Against reference implementations and dense formulas in float64; features become float32 first, which moves scores by about 1e-7.</summary>
public class TransferabilityTests
{
    private const string Folder = "reference/transfer/fixtures";

    [SharedTheory(Folder)]
    [InlineData("n_gt_d")]
    [InlineData("d_gt_n")]
    public void LogME_is_the_exact_evidence(string name)
    {
        var (rows, labels) = (Rows("logme_exact", $"f_{name}"), Labels("logme_exact", "y"));

        Assert.Equal(Number("logme_exact", $"logme_exact_{name}"), LogME.Score(rows, labels, 3), 1e-6);
        // The authors' value is another one where there are more features than images.
        Assert.Equal(name == "n_gt_d", Math.Abs(Number("logme_exact", $"thuml_fixed_point_{name}") - LogME.Score(rows, labels, 3)) < 1e-2);
    }

    [SharedTheory(Folder)]
    [InlineData("n_gt_d")]
    [InlineData("d_gt_n")]
    public void Regularized_H_score_and_nearest_neighbors_are_the_same(string name)
    {
        var (rows, labels) = (Rows("transferability", $"f_{name}"), Labels("transferability", "y"));

        Assert.Equal(Number("transferability", $"reg_hscore_{name}"), HScore.Score(rows, labels, 3), 1e-6);
        Assert.Equal(Number("transferability", $"loo1nn_{name}"), LeaveOneOutNeighbors.Accuracy(rows, labels, 3), 1e-12);
    }

    [SharedFact(Folder)]
    public void Leep_is_the_same() => Assert.Equal(
        Number("transferability", "leep"),
        Leep.Score([.. Matrix("transferability", "source_probs")], Labels("transferability", "y"), 3), 1e-9);

    [SharedFact(Folder)]
    public void Frechet_distance_is_that_of_the_matrix_root()
    {
        var expected = Number("frechet_distance", "d2");

        Assert.Equal(expected, FrechetDistance.Squared(Floats("frechet_distance", "x"), Floats("frechet_distance", "y")), 1e-5 * expected);
    }

    [SharedFact(Folder)]
    public void Ledoit_and_Wolf_s_shrinkage_is_the_same()
    {
        using var scope = TorchSharp.torch.NewDisposeScope();
        var data = NumpyFile.Load<float>(File("ledoit_wolf"), "x");
        var x = TorchSharp.torch.tensor(data.Values).view(data.Shape[0], data.Shape[1]).to_type(TorchSharp.torch.ScalarType.Float64);

        Assert.Equal(Number("ledoit_wolf", "shrinkage"), LedoitWolf.Shrinkage(x - x.mean([0], keepdim: true)), 1e-9);
    }

    private static string File(string name) => SharedFolder.Path($"{Folder}/{name}.npz");

    private static double Number(string file, string name) => NumpyFile.Load<double>(File(file), name).Values.Single();

    private static double[][] Matrix(string file, string name)
    {
        var array = NumpyFile.Load<double>(File(file), name);
        return [.. array.Values.Chunk(array.Shape[1])];
    }

    private static float[][] Rows(string file, string name) =>
        [.. Matrix(file, name).Select(row => row.Select(value => (float)value).ToArray())];

    private static float[][] Floats(string file, string name)
    {
        var array = NumpyFile.Load<float>(File(file), name);
        return [.. array.Values.Chunk(array.Shape[1])];
    }

    private static int[] Labels(string file, string name) => [.. NumpyFile.Load<long>(File(file), name).Values.Select(label => (int)label)];
}

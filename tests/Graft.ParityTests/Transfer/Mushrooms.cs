using Graft.Classifiers;
using Graft.Testing;
using Graft.Transfer;

namespace Graft.ParityTests.Transfer;

/// <summary>UCI's mushrooms as in adapt's notebook on TrAdaBoost: 4,608 with a tapering stalk are the source; of the others 46 have labels.</summary>
internal static class Mushrooms
{
    private const string File = "reference/transfer/data/mushrooms_tradaboost.npz";

    private const int Columns = 117;

    /// <summary>scikit-learn's LinearSVC(class_weight="balanced").</summary>
    public static LinearSvm Learner { get; } = new() { Standardize = false, Calibrate = false, ClassWeights = Graft.Data.ClassWeighting.Balanced };

    /// <summary>Error rates of the support vector machine on the source, on both, with balanced weights, and of TrAdaBoost.</summary>
    public static double[] Published(int split) => NumpyFile.Load<double>(SharedFolder.Path(File), "errors").Values[(4 * split)..(4 * split + 4)];

    /// <summary>And the mushrooms to measure on.</summary>
    public static (TransferData Data, float[][] Others, int[] Truth) Split(int split)
    {
        var path = SharedFolder.Path(File);
        var bits = NumpyFile.Load<byte>(path, "onehot_packbits");
        float[][] rows = [.. bits.Values.Chunk(bits.Shape[1]).Select(row => Enumerable.Range(0, Columns).Select(bit => (float)(row[bit / 8] >> (7 - bit % 8) & 1)).ToArray())];
        var labels = NumpyFile.Load<byte>(path, "y_poisonous").Values;
        var isSource = NumpyFile.Load<bool>(path, "is_source").Values;
        int[] known = [.. NumpyFile.Load<long>(path, "target_labelled").Values[(46 * split)..(46 * split + 46)].Select(row => (int)row)];
        int[] source = [.. Enumerable.Range(0, rows.Length).Where(row => isSource[row])];
        int[] others = [.. Enumerable.Range(0, rows.Length).Where(row => !isSource[row]).Except(known)];
        return (
            new()
            {
                Source = [.. source.Select(row => rows[row])],
                SourceLabels = [.. source.Select(row => (int)labels[row])],
                Target = [.. known.Select(row => rows[row])],
                TargetLabels = [.. known.Select(row => (int)labels[row])],
                Classes = 2,
            },
            [.. others.Select(row => rows[row])], [.. others.Select(row => (int)labels[row])]);
    }
}

using Graft.Samples;

// dotnet run -c Release --project samples/Graft.Samples -- surgery
switch (args)
{
    case ["surgery"]:
        Surgery.Run(Console.Out);
        return 0;
    case ["finetune", var photos]:
        FineTune.Run(photos, Console.Out);
        return 0;
    default:
        Console.Error.WriteLine("Samples: surgery, finetune PHOTOS");
        return 2;
}
